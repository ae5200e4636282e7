# Run as: cmake -DFOLDER=build/web "-DFILES=index.html|app-0f3c.js" -DOUTPUT=DIR -P embed_web.cmake
# Writes OUTPUT/serve_assets.c and compressed twins beside it. The assembler takes the bytes in: an array of half a
# million numbers would cost the compiler minutes.
string(REPLACE "|" ";" files "${FILES}")
find_program(GZIP gzip REQUIRED)
file(MAKE_DIRECTORY "${OUTPUT}/web")
set(blobs "")
set(rows "")
set(n 0)
foreach(file IN LISTS files)
    if(NOT file MATCHES "^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$")
        message(FATAL_ERROR "The pages have a file whose name no address may hold: ${file}")
    endif()
    set(twin "${OUTPUT}/web/${n}.gz")
    execute_process(COMMAND "${GZIP}" -9 -n -c "${FOLDER}/${file}" OUTPUT_FILE "${twin}" RESULT_VARIABLE bad)
    if(bad)
        message(FATAL_ERROR "${file} could not be compressed.")
    endif()
    string(APPEND blobs "BLOB(web_${n}, \"${FOLDER}/${file}\")\nBLOB(web_${n}_gz, \"${twin}\")\n")
    string(APPEND rows "    {\"/${file}\", web_${n}, web_${n}_end, web_${n}_gz, web_${n}_gz_end},\n")
    math(EXPR n "${n} + 1")
endforeach()
file(WRITE "${OUTPUT}/serve_assets.c"
"/* Made by cmake/embed_web.cmake. */
#include \"cli/serve_files.h\"

#include <stddef.h>

#define BLOB(name, path) \\
    __asm__(\".section .rodata\\n\" #name \":\\n.incbin \\\"\" path \"\\\"\\n\" #name \"_end:\\n.previous\\n\"); \\
    extern const unsigned char name[]; \\
    extern const unsigned char name##_end[];
${blobs}
const struct serve_asset serve_assets[] = {
${rows}    {NULL, NULL, NULL, NULL, NULL}};
")
