"""A collector of traces: takes OTLP over HTTP in JSON, as strictly as protobuf reads it.

What a message may have is the table below, with the numbers and types of opentelemetry-proto; a
name that is not there, or a value of another type, is refused with 400 and kept in `refused`.
"""
import base64
import copy
import http.server
import json
import re
import threading

from google.protobuf import descriptor_pb2, descriptor_pool, json_format

try:
    from google.protobuf.message_factory import GetMessageClass
except ImportError:  # before 4.22
    from google.protobuf.message_factory import MessageFactory

    def GetMessageClass(descriptor):
        return MessageFactory().GetPrototype(descriptor)

# Enumerations are numbers: names are not allowed in OTLP's JSON.
MESSAGES = {
    'Request': '1 resource_spans *ResourceSpans',
    'ResourceSpans': '1 resource Resource, 2 scope_spans *ScopeSpans, 3 schema_url string',
    'Resource': '1 attributes *KeyValue, 2 dropped_attributes_count uint32',
    'ScopeSpans': '1 scope InstrumentationScope, 2 spans *Span, 3 schema_url string',
    'InstrumentationScope': '1 name string, 2 version string, 3 attributes *KeyValue, '
                            '4 dropped_attributes_count uint32',
    'Span': '1 trace_id bytes, 2 span_id bytes, 3 trace_state string, 4 parent_span_id bytes, '
            '5 name string, 6 kind int32, 7 start_time_unix_nano fixed64, '
            '8 end_time_unix_nano fixed64, 9 attributes *KeyValue, '
            '10 dropped_attributes_count uint32, 15 status Status, 16 flags fixed32',
    'Status': '2 message string, 3 code int32',
    'KeyValue': '1 key string, 2 value AnyValue',
    'AnyValue': '1 string_value string, 2 bool_value bool, 3 int_value int64, '
                '4 double_value double',
}


def message_class():
    file = descriptor_pb2.FileDescriptorProto(name='otlp.proto', package='otlp', syntax='proto3')
    kind = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == 'AnyValue':
            message.oneof_decl.add(name='value')
        for field in fields.split(', '):
            number, key, of = field.split()
            made = message.field.add(name=key, number=int(number))
            made.label = kind.LABEL_REPEATED if of.startswith('*') else kind.LABEL_OPTIONAL
            of = of.lstrip('*')
            if of in MESSAGES:
                made.type, made.type_name = kind.TYPE_MESSAGE, f'.otlp.{of}'
            else:
                made.type = getattr(kind, f'TYPE_{of.upper()}')
            if name == 'AnyValue':
                made.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName('otlp.Request'))


Request = message_class()


def base64_of(value, digits):
    if not re.fullmatch('[0-9a-f]{%d}' % digits, value) or not int(value, 16):
        raise ValueError(f'not an id: {value!r}')
    return base64.b64encode(bytes.fromhex(value)).decode()


def read(body):
    """(the JSON as it came, the message). Ids are hex there, unlike other bytes in protobuf's JSON."""
    text = body.decode()  # strict: what is no UTF-8 is no JSON
    plain = json.loads(text)
    converted = copy.deepcopy(plain)
    for resource in converted['resourceSpans']:
        for scope in resource['scopeSpans']:
            for span in scope['spans']:
                span['traceId'] = base64_of(span['traceId'], 32)
                span['spanId'] = base64_of(span['spanId'], 16)
                if 'parentSpanId' in span:
                    span['parentSpanId'] = base64_of(span['parentSpanId'], 16)
    return plain, json_format.ParseDict(converted, Request())


class Span:
    """One span, with its ids in hex and its attributes as a dictionary."""

    def __init__(self, span):
        self.trace = span.trace_id.hex()
        self.id = span.span_id.hex()
        self.parent = span.parent_span_id.hex()
        self.state = span.trace_state
        self.name = span.name
        self.kind = {2: 'server', 3: 'client'}[span.kind]
        self.start = span.start_time_unix_nano
        self.end = span.end_time_unix_nano
        self.is_sampled = span.flags == 1
        self.is_error = span.status.code == 2
        self.attributes = {each.key: getattr(each.value, each.value.WhichOneof('value'))
                           for each in span.attributes}

    def __repr__(self):
        return f'{self.kind} {self.name} {self.id} of {self.parent} {self.attributes}'


class Collector:
    """`answer` is called with each message and gives the status of the reply."""

    def __init__(self, port=0):
        self.messages = []
        self.refused = []
        self.answer = lambda message: 200
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                status = collector.take(self)
                body = b'{}'
                self.send_response(status)
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request):
        body = request.rfile.read(int(request.headers['Content-Length']))
        try:
            if request.path != '/v1/traces' or request.headers['Content-Type'] != 'application/json':
                raise ValueError(f'{request.path}: {request.headers}')
            _, message = read(body)
        except (ValueError, KeyError, json_format.ParseError) as error:
            self.refused.append((error, body))
            return 400
        status = self.answer(message)
        if status == 200:
            self.messages.append(message)
        return status

    def batches(self):
        """The spans of each message."""
        return [[Span(span) for resource in message.resource_spans for scope in resource.scope_spans
                 for span in scope.spans] for message in list(self.messages)]

    def spans(self, host, kind='server'):
        """Those of requests for a host, or what their endpoints were asked."""
        every = [span for batch in self.batches() for span in batch]
        served = [span for span in every if span.kind == 'server' and
                  span.attributes['server.address'] == host]
        if kind == 'server':
            return served
        return [span for span in every if span.parent in {each.id for each in served}]

    def resources(self):
        return [{each.key: each.value.string_value for each in resource.resource.attributes}
                for message in list(self.messages) for resource in message.resource_spans]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
