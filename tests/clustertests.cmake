# Tests against a real API server: each brings up a cluster of its own (tests/cluster), in network
# namespaces of its own, and waits more than it computes: as many run at a time as there are
# processors. ALONE: it measures, or starts a node. SERVERS: it starts servers of Debian that share
# their folders.
function(penstock_cluster_test name file)
  cmake_parse_arguments(ARG "ALONE;SERVERS" "" "" ${ARGN})
  add_test(NAME cluster.${name} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/${file} ${ARG_UNPARSED_ARGUMENTS})
  set_tests_properties(cluster.${name} PROPERTIES LABELS cluster TIMEOUT 900 SKIP_RETURN_CODE 77
    ENVIRONMENT "TC=${name};PENSTOCK_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  if(ARG_ALONE)
    set_tests_properties(cluster.${name} PROPERTIES PROCESSORS 64)
  endif()
  if(ARG_SERVERS)
    set_tests_properties(cluster.${name} PROPERTIES RESOURCE_LOCK servers)
  endif()
endfunction()
