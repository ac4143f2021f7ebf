# What each part of replica links, said once: used by the build itself, by host projects that
# add_subdirectory it, and by the installed package.
#
#   replica::replica   words, contracts, flow; messages are JSON, names are hashed with MD5
#   replica::sqlite    <replica/sqlite/...>, <replica/container/...>
#   replica::ring      <replica/ring/...>: ring files are gzip
#   replica::beast     <replica/beast/...>: Asio and Beast are headers
#   replica::process   <replica/process/...>
#   replica::sim       <replica/sim/...>
#   replica::daemon    <replica/daemon/...>, with all of the above but sim

set(replica_components sqlite ring beast process sim daemon)

set(replica_core_libraries Boost::headers Boost::json OpenSSL::Crypto Threads::Threads)
set(replica_sqlite_libraries SQLite::SQLite3)
set(replica_ring_libraries ZLIB::ZLIB)
set(replica_beast_libraries Boost::headers)
set(replica_process_libraries Boost::filesystem)
set(replica_sim_libraries SQLite::SQLite3)
set(replica_daemon_libraries
    SQLite::SQLite3 ZLIB::ZLIB Boost::filesystem spdlog::spdlog CLI11::CLI11)

# Looks for the packages of `libraries` and sets `missing` to the targets that none of them defined.
macro(replica_find_libraries missing libraries)
    set(${missing} "")
    foreach(library IN ITEMS ${libraries})
        string(REGEX REPLACE "::.*$" "" package ${library})
        if(TARGET ${library})
            # Found before, or provided by the host project.
        elseif(package STREQUAL "Boost")
            string(REGEX REPLACE "^.*::" "" boost_component ${library})
            find_package(Boost 1.81 QUIET COMPONENTS ${boost_component})
        elseif(package STREQUAL "SQLite")
            find_package(SQLite3 QUIET)
        else()
            find_package(${package} QUIET)
        endif()
        if(NOT TARGET ${library})
            list(APPEND ${missing} ${library})
        endif()
    endforeach()
endmacro()
