'use strict';
// Everything that comes from the cluster goes into the page as text, never as markup.
const kPoll = 2000;
const kRows = 100;
const byId = (id) => document.getElementById(id);
const state = { token: sessionStorage.getItem('penstock-token') || '', filter: '', loaded: 0,
  title: '', problem: '', before: null, round: 0 };

function element(name, className, ...children) {
  const out = document.createElement(name);
  if (className) out.className = className;
  for (const child of children) {
    if (child !== null && child !== undefined) out.append(child);
  }
  return out;
}
const pill = (kind, text) => element('span', 'pill ' + kind, text);
const code = (text) => element('code', '', text);
const lines = (items) => element('div', 'lines', ...items.map((each) => element('div', '', each)));
const number = (value) => Number(value).toLocaleString('en');
function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; ++unit; }
  return (unit && value < 10 ? value.toFixed(1) : Math.round(value)) + '\u00a0' + units[unit];
}
function span(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  if (seconds < 120) return seconds + ' s';
  if (seconds < 7200) return Math.floor(seconds / 60) + ' min';
  if (seconds < 172800) return Math.floor(seconds / 3600) + ' h';
  return Math.floor(seconds / 86400) + ' d';
}
const ago = (time) => span((Date.now() - Date.parse(time)) / 1000) + ' ago';

async function ask(path, parameters) {
  const query = parameters ? '?' + new URLSearchParams(parameters) : '';
  const answer = await fetch('api/v1/' + path + query, {
    headers: { Authorization: 'Bearer ' + state.token }, cache: 'no-store', redirect: 'error' });
  let document_ = {};
  try { document_ = await answer.json(); } catch (ignored) { /* no JSON: the status says enough */ }
  if (!answer.ok) {
    const failure = new Error(document_.error || 'status ' + answer.status);
    failure.status = answer.status;
    throw failure;
  }
  return document_;
}

// A section: its title, its columns, and how an item becomes cells. Rows are kept by key, so that
// what has not changed is not touched: selections, scrolling and screen readers stay in place.
class Section {
  constructor(id, title, columns, isOpen) {
    this.columns = columns;
    this.rows = new Map();
    this.count = element('span', 'count');
    this.mark = element('span', '');
    this.tbody = element('tbody');
    const head = columns.map(([name, kind]) => element('th', kind || '', name));
    this.table = element('table', '', element('thead', '', element('tr', '', ...head)), this.tbody);
    this.empty = element('div', 'empty', 'None.');
    this.more = element('div', 'more');
    this.card = element('details', 'card',
      element('summary', '', element('h2', '', title), this.count, this.mark),
      element('div', 'body', this.table, this.empty, this.more));
    this.card.id = id;
    this.card.open = isOpen;
    byId('sections').append(this.card);
  }

  show(items, total, key, cells, mark, shown = items.length) {
    const wanted = new Map();
    for (const item of items) {
      const name = key(item);
      if (!wanted.has(name)) wanted.set(name, cells(item));
    }
    for (const [name, row] of this.rows) {
      if (!wanted.has(name)) { row.remove(); this.rows.delete(name); }
    }
    let place = this.tbody.firstChild;
    for (const [name, contents] of wanted) {
      let row = this.rows.get(name);
      if (!row) {
        row = element('tr', '', ...this.columns.map(([label, kind]) => {
          const cell = element('td', kind || '');
          cell.dataset.label = label;
          return cell;
        }));
        this.rows.set(name, row);
      }
      contents.forEach((content, index) => fill(row.children[index], content));
      if (row !== place) this.tbody.insertBefore(row, place); else place = place.nextSibling;
    }
    this.count.textContent = number(total);
    this.table.hidden = items.length === 0;
    this.empty.hidden = items.length !== 0;
    this.empty.textContent = state.filter ? 'None with this in its name.' : 'None.';
    this.more.hidden = total <= shown;
    this.more.textContent = `${number(shown)} of ${number(total)} are shown; filter by name.`;
    fill(this.mark, mark || '');
  }
}

function fill(cell, content) {
  const fresh = element('div', '', content === '' ? null : content);
  const old = element('div', '');
  for (const child of cell.childNodes) old.append(child.cloneNode(true));
  if (fresh.isEqualNode(old)) return;
  cell.replaceChildren(...fresh.childNodes);
}

const sections = {};
function build() {
  const add = (id, title, columns, isOpen) => {
    sections[id] = new Section(id, title, columns, isOpen);
  };
  add('problems', 'Problems', [['Where', 'name'], ['What']], true);
  add('diagnostics', 'Not served as written', [['Object', 'name'], ['Field'], ['What']], true);
  add('errors', 'Recent errors', [['Reason', 'name'], ['Count', 'number'], ['Last', 'fixed'],
    ['Examples']], true);
  add('upstreams', 'Upstreams', [['Upstream', 'name'], ['Endpoint'], ['State', 'fixed'],
    ['Active', 'number'], ['Requests', 'number'], ['Failures', 'number'], ['Average', 'number']],
    true);
  add('routes', 'Routes', [['Host', 'name'], ['Path'], ['Ingress'], ['Upstream']], true);
  add('streams', 'Streams', [['Port', 'name'], ['Owner'], ['Upstreams'], ['State', 'fixed'],
    ['Active', 'number'], ['Sessions', 'number'], ['Failures', 'number'], ['In', 'number'],
    ['Out', 'number']], true);
  add('certificates', 'Certificates', [['Secret', 'name'], ['Names'], ['Issuer'],
    ['Expires', 'fixed']], true);
  add('actions', 'In effect', [['What', 'name'], ['For'], ['Until', 'fixed']], true);
  add('sources', 'Sources', [['Kind', 'name'], ['Objects', 'number'], ['Restarts', 'number'],
    ['Failures', 'number'], ['State', 'fixed']], false);
}

// The tiles by label; only the figures change.
const tiles = new Map();
function tile(label, value) {
  if (!tiles.has(label)) {
    const figure = element('b', '');
    tiles.set(label, figure);
    byId('tiles').append(element('div', 'tile', figure, element('span', '', label)));
  }
  if (tiles.get(label).textContent !== value) tiles.get(label).textContent = value;
}

function showTiles(summary, controller) {
  const { traffic, counts, table } = summary;
  const now = performance.now();
  let rate = '–';
  if (state.before && state.before.requests <= traffic.requests) {
    const seconds = (now - state.before.time) / 1000;
    rate = number(Math.round((traffic.requests - state.before.requests) / seconds));
  }
  state.before = { requests: traffic.requests, time: now };
  tile('requests a second', rate);
  tile('connections', number(traffic.connections_active));
  tile('hosts', number(counts.hosts));
  tile('upstreams', number(counts.upstreams));
  tile('streams', number(counts.streams));
  tile('certificates', number(counts.certificates));
  tile('since the last change', table.version ? span(table.age_seconds) : 'none');
  tile('not served as written', number(controller.diagnostics.total));
}

// What needs a person, in one list, and the pill in the header.
function showProblems(summary, controller) {
  const problems = [];
  if (!summary.is_controller_connected) problems.push(['Proxy', 'has no connection to the controller']);
  if (!summary.table.version) problems.push(['Proxy', 'serves nothing yet']);
  else if (summary.table.version !== summary.table.adopting) {
    problems.push(['Proxy', 'is adopting version ' + summary.table.adopting]);
  }
  for (const each of summary.problems) problems.push(['Port', each]);
  for (const each of controller.sources) {
    if (each.disconnected_seconds >= 5) {
      problems.push(['Source', `${each.kind}: no watch for ${span(each.disconnected_seconds)}`]);
    }
  }
  const card = sections.problems.card;
  card.hidden = problems.length === 0;
  sections.problems.show(problems, problems.length, (each) => each.join(' '), (each) => each);
  const health = byId('health');
  health.className = 'pill ' + (problems.length ? 'bad' : 'good');
  health.textContent = problems.length ? `${problems.length} problem${problems.length > 1 ? 's' : ''}`
    : 'serving';
}

function showDiagnostics(list) {
  sections.diagnostics.show(list.items, list.total,
    (each) => `${each.object} ${each.field} ${each.message}`,
    (each) => [each.object, code(each.field || '–'), each.message],
    list.total ? pill('warn', number(list.total)) : '');
}

function showErrors(list) {
  const seen = list.items;
  const recent = seen.filter((each) => Date.now() - Date.parse(each.last[0].time) < 60000);
  sections.errors.show(seen, seen.length, (each) => each.reason, (each) => [
    lines([each.reason, element('span', 'quiet', each.meaning)]), number(each.count),
    ago(each.last[0].time),
    lines(each.last.slice(0, 3).map((last) => element('span', '', code(last.what),
      ` ${last.status || ''} ${last.client}${last.endpoint ? ' → ' + last.endpoint : ''}`))),
  ], recent.length ? pill('warn', 'in the last minute') : '');
}

function endpointState(each, workers) {
  if (each.is_drained) return pill('warn', 'drained');
  if (each.is_up) return pill('good', each.check === 'unknown' ? 'up, not checked yet' : 'up');
  if (each.check === 'down') return pill('bad', 'fails its check');
  return pill('bad', each.down_workers < workers ? `out on ${each.down_workers} of ${workers}`
    : `out for ${span(each.down_ms / 1000)}`);
}

// One row for each endpoint; its upstream is named in the first. What needs a look comes first.
function showUpstreams(list, workers) {
  const isOut = (each) => !each.is_up;
  const weight = (each) => (each.endpoints.length === 0 ? 2 : each.endpoints.some(isOut) ? 1 : 0);
  const rows = [];
  for (const upstream of list.items.slice().sort((a, b) => weight(b) - weight(a))) {
    const few = upstream.endpoints.slice(0, 50);
    if (few.length === 0) rows.push({ upstream, index: 0 });
    few.forEach((endpoint, index) => rows.push({ upstream, endpoint, index }));
    const rest = upstream.endpoints.length - few.length;
    if (rest) rows.push({ upstream, index: few.length, rest });
  }
  const out = list.items.flatMap((each) => each.endpoints).filter(isOut).length;
  sections.upstreams.show(rows, list.total,
    ({ upstream, endpoint, index }) => `${upstream.name} ${endpoint ? endpoint.address : index}`,
    ({ upstream, endpoint: each, index, rest }) => {
      const name = index === 0 ? upstream.name : '';
      if (rest) return ['', `and ${rest} more`, '', '', '', '', ''];
      if (!each) return [name, '', pill('bad', 'no endpoints'), '', '', '', ''];
      return [name, code(each.address), endpointState(each, workers), number(each.active),
        number(each.requests), number(each.failures),
        each.answers ? each.average_ms.toFixed(1) + '\u00a0ms' : '–'];
    }, out ? pill('bad', `${out} out`) : '', list.items.length);
}

function showRoutes(list) {
  const rows = [];
  for (const host of list.items) {
    for (const route of host.routes) {
      if (rows.length < 500) rows.push({ host, route });
    }
  }
  sections.routes.show(rows, list.total, ({ host, route }) => `${host.name} ${route.match} ${route.path}`,
    ({ host, route }) => [
      element('span', '', host.name === '_' ? 'every other host' : host.name,
        host.certificate ? ' ' : '', host.certificate ? pill('good', 'TLS') : ''),
      element('span', '', code(route.path), route.match === 'exact' ? ' exactly' : ''),
      route.ingress ? `${route.namespace}/${route.ingress}` : '–',
      route.denied_why ? element('span', '', pill('bad', 'closed'), ' ' + route.denied_why)
        : route.upstream || '404',
    ], '', list.items.length);
}

function showStreams(list) {
  sections.streams.show(list.items, list.total, (each) => each.name, (each) => [
    `${each.address ? each.address + ':' : ''}${each.port} ${each.protocol}`, each.owner,
    lines(each.upstreams), each.problem ? pill('bad', 'not open') : pill('good', 'open'),
    number(each.active), number(each.sessions), number(each.failures),
    bytes(each.bytes_received), bytes(each.bytes_sent)]);
}

function expiry(time) {
  const days = (Date.parse(time) - Date.now()) / 86400000;
  const kind = days < 7 ? 'bad' : days < 30 ? 'warn' : 'good';
  return element('span', '', pill(kind, days < 0 ? 'expired' : 'in ' + span(days * 86400)), ' ',
    time.slice(0, 10));
}

function showCertificates(list) {
  const items = list.items.slice().sort((a, b) => (a.not_after < b.not_after ? -1 : 1));
  const soon = items.filter((each) => Date.parse(each.not_after) - Date.now() < 7 * 86400000);
  sections.certificates.show(items, list.total, (each) => each.name, (each) => [each.name,
    lines(each.dns_names && each.dns_names.length ? each.dns_names.slice(0, 10) : [each.subject || '–']),
    each.issuer || '–', each.not_after ? expiry(each.not_after) : pill('bad', each.error)],
    soon.length ? pill('bad', `${soon.length} within a week`) : '');
}

function showActions(list) {
  const rows = [...list.drained.map((each) => [`drained: ${each.endpoint}`, each.upstream, 'undrained']),
    ...list.log_rules.map((each) => [`log: ${each.level}`, each.match, span(each.seconds_left)])];
  sections.actions.card.hidden = rows.length === 0;
  sections.actions.show(rows, rows.length, (row) => row.join(' '), (row) => row);
}

function showSources(controller) {
  sections.sources.show(controller.sources, controller.sources.length, (each) => each.kind,
    (each) => [each.kind, number(each.objects), number(each.restarts), number(each.failures),
      each.disconnected_seconds > 0 ? pill('warn', `no watch for ${span(each.disconnected_seconds)}`)
        : pill('good', 'watched')]);
}

// False where somebody has signed out or filtered meanwhile: what has come shows nothing.
async function refresh(round) {
  const page = { limit: kRows, ...(state.filter ? { q: state.filter } : {}) };
  const [controller, summary, errors, upstreams, hosts, streams, certificates, actions] =
    await Promise.all([ask('controller', page), ask('proxy/summary'), ask('proxy/errors'),
      ask('proxy/upstreams', page), ask('proxy/hosts', page), ask('proxy/streams', page),
      ask('proxy/certificates', page), ask('proxy/actions')]);
  if (round !== state.round) return false;
  showTiles(summary, controller);
  showProblems(summary, controller);
  showDiagnostics(controller.diagnostics);
  showErrors(errors);
  showUpstreams(upstreams, summary.traffic.workers);
  showRoutes(hosts);
  showStreams(streams);
  showCertificates(certificates);
  showActions(actions);
  showSources(controller);
  const leader = controller.is_leading === null ? '' : controller.is_leading ? ', leader' : ', standby';
  state.title = `version ${summary.version}${controller.pod ? ', pod ' + controller.pod : ''}${leader}`;
  state.loaded = Date.now();
  return true;
}

function showAge() {
  if (!state.loaded) return;
  const seconds = Math.round((Date.now() - state.loaded) / 1000);
  byId('age').textContent = (state.problem ? state.problem + '; ' : '') +
    `as of ${seconds < 1 ? 'now' : span(seconds) + ' ago'} · ${state.title}`;
  if (seconds > 10) {
    byId('health').className = 'pill warn';
    byId('health').textContent = 'not up to date';
  }
}

// One loop at a time: each round that begins makes the ones before end.
async function poll() {
  const round = ++state.round;
  while (round === state.round && state.token) {
    if (!document.hidden) {
      try {
        if (!await refresh(round)) return;
        state.problem = '';
        signedIn(true);
      } catch (failure) {
        if (round !== state.round) return;
        if (failure.status === 401 || failure.status === 403) {
          signOut(failure.message);
          return;
        }
        state.problem = failure.message;
        if (!state.loaded) byId('refusal').textContent = failure.message;
      }
      showAge();
    }
    await new Promise((resolve) => setTimeout(resolve, kPoll));
  }
}

function signedIn(is) {
  byId('sign-in').hidden = is;
  for (const id of ['page', 'filter', 'sign-out']) byId(id).hidden = !is;
  if (is) sessionStorage.setItem('penstock-token', state.token);
}

function signOut(why) {
  state.token = '';
  state.loaded = 0;
  ++state.round;
  sessionStorage.removeItem('penstock-token');
  signedIn(false);
  byId('refusal').textContent = why || '';
  byId('age').textContent = '';
  byId('health').className = 'pill';
  byId('health').textContent = 'not signed in';
}

byId('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  state.token = byId('token').value.trim();
  byId('token').value = '';
  byId('refusal').textContent = '';
  poll();
});
byId('sign-out').addEventListener('click', () => signOut(''));
let typing = 0;
byId('filter').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.filter = byId('filter').value.trim();
    poll();
  }, 250);
});
document.addEventListener('visibilitychange', () => { if (!document.hidden && state.token) poll(); });
setInterval(showAge, 1000);
build();
if (state.token) poll();
