# Tests against a real API server: each brings up a cluster of its own (tests/cluster).
function(penstock_cluster_test name file)
  add_test(NAME cluster.${name} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/${file} ${ARGN})
  set_tests_properties(cluster.${name} PROPERTIES LABELS cluster TIMEOUT 900 SKIP_RETURN_CODE 77
    PROCESSORS 2 ENVIRONMENT "TC=${name};PENSTOCK_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endfunction()
