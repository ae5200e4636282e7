# The pages, compiled into spoke: every file of SPOKE_WEB_DIR (packaging/web makes them) and its gzip twin become bytes of
# the program, found by name in serve_assets[] (cli/serve_files.h). Sets web_sources.
option(SPOKE_WEB "Compile the pages into spoke (packaging/web makes them); OFF: spoke serve answers the API alone" OFF)
set(SPOKE_WEB_DIR "${CMAKE_SOURCE_DIR}/build/web" CACHE PATH "Where packaging/web puts the pages")

set(web_folder "${generated}/cli")
set(web_sources "${web_folder}/serve_assets.c")
set(web_files)
if(SPOKE_WEB)
    if(NOT EXISTS "${SPOKE_WEB_DIR}/index.html")
        message(FATAL_ERROR "There are no pages in ${SPOKE_WEB_DIR} yet. Make them with packaging/web, or build without "
            "them: -DSPOKE_WEB=OFF.")
    endif()
    file(GLOB_RECURSE web_files CONFIGURE_DEPENDS RELATIVE "${SPOKE_WEB_DIR}" "${SPOKE_WEB_DIR}/*")
endif()
list(SORT web_files)
set(web_paths)
foreach(file IN LISTS web_files)
    list(APPEND web_paths "${SPOKE_WEB_DIR}/${file}")
endforeach()
string(REPLACE ";" "|" web_names "${web_files}")
add_custom_command(OUTPUT "${web_sources}"
    COMMAND "${CMAKE_COMMAND}" "-DFOLDER=${SPOKE_WEB_DIR}" "-DFILES=${web_names}" "-DOUTPUT=${web_folder}"
        -P "${CMAKE_SOURCE_DIR}/cmake/embed_web.cmake"
    DEPENDS ${web_paths} cmake/embed_web.cmake cmake/web.cmake VERBATIM)
# What the assembler reads is no header that the compiler could tell of.
set_source_files_properties("${web_sources}" PROPERTIES OBJECT_DEPENDS "${web_paths}")
