# find_package(replica [COMPONENTS sqlite ring beast process sim daemon])
# defines replica::replica and one replica::<component> per component asked for. Without a list: one
# for each whose libraries are here.
include(${CMAKE_CURRENT_LIST_DIR}/replica-dependencies.cmake)

# This is <prefix>/share/cmake/replica/replica-config.cmake: the package can be moved as a whole.
get_filename_component(replica_prefix ${CMAKE_CURRENT_LIST_DIR}/../../.. ABSOLUTE)
set(replica_FOUND TRUE)

replica_find_libraries(replica_missing "${replica_core_libraries}")
if(replica_missing)
    set(replica_FOUND FALSE)
    set(replica_NOT_FOUND_MESSAGE "replica needs ${replica_missing}")
elseif(NOT TARGET replica::replica)
    add_library(replica::replica INTERFACE IMPORTED)
    target_include_directories(replica::replica INTERFACE ${replica_prefix}/include)
    target_compile_features(replica::replica INTERFACE cxx_std_20)
    target_link_libraries(replica::replica INTERFACE ${replica_core_libraries})
endif()

set(replica_wanted ${replica_FIND_COMPONENTS})
if(NOT replica_wanted)
    set(replica_wanted ${replica_components}) # none of them is required
endif()
foreach(component IN LISTS replica_wanted)
    set(replica_${component}_FOUND TRUE)
    if(NOT component IN_LIST replica_components)
        set(replica_missing "${component}, which is none of ${replica_components}")
    else()
        replica_find_libraries(replica_missing "${replica_${component}_libraries}")
    endif()
    if(replica_missing)
        set(replica_${component}_FOUND FALSE)
        if(replica_FIND_REQUIRED_${component})
            set(replica_FOUND FALSE)
            set(replica_NOT_FOUND_MESSAGE "replica::${component} needs ${replica_missing}")
        endif()
    elseif(replica_FOUND AND NOT TARGET replica::${component})
        add_library(replica::${component} INTERFACE IMPORTED)
        target_link_libraries(
            replica::${component} INTERFACE replica::replica ${replica_${component}_libraries})
    endif()
endforeach()
