# Run as: cmake -DINPUT=sync/schema.sql -DOUTPUT=DIR/sync/schema_sql -DSYMBOL=sync_schema_sql -P embed.cmake
# Writes OUTPUT.h and OUTPUT.c, which hold the file as one NUL-terminated text. An array of characters and not a string
# literal, because C promises only 4095 characters of those.
foreach(name INPUT OUTPUT SYMBOL)
    if(NOT ${name})
        message(FATAL_ERROR "embed.cmake needs -D${name}=")
    endif()
endforeach()

file(READ "${INPUT}" hex HEX)
string(REPEAT "[0-9a-f]" 32 line)
string(REGEX REPLACE "(${line})" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," text "${hex}")
get_filename_component(name "${INPUT}" NAME)
get_filename_component(base "${OUTPUT}" NAME)

file(WRITE "${OUTPUT}.h" "/* Made from ${name} by cmake/embed.cmake. */\n#pragma once\n\nextern const char ${SYMBOL}[];\n")
file(WRITE "${OUTPUT}.c" "/* Made from ${name} by cmake/embed.cmake. */\n#include \"${base}.h\"\n\n"
    "const char ${SYMBOL}[] = {\n${text}\n'\\0'};\n")
