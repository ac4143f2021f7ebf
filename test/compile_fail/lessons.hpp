// What each lesson includes: check.py compiles it once for all of them.
#ifndef TEST_COMPILE_FAIL_LESSONS_HPP
#define TEST_COMPILE_FAIL_LESSONS_HPP

#include <replica/replica.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/transport.hpp>
#include <replica/sqlite/account.hpp>

#include <support/table_ring.hpp>

#endif // TEST_COMPILE_FAIL_LESSONS_HPP
