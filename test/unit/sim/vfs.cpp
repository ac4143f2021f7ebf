#include <replica/sim/vfs.hpp>

#define BOOST_TEST_MODULE sim_vfs
#include <boost/test/unit_test.hpp>

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace replica;

namespace {

using Names = std::map<std::string, std::string>;

constexpr const char* path = "/d/x.db";
constexpr const char* journal = "/d/x.db-journal";

/// A connection that reports codes.
class Db {
public:
    explicit Db(const SimVfs& vfs, const std::string& file = path,
                const std::string& synchronous = "FULL") {
        sqlite3* opened = nullptr;
        opened_ = sqlite3_open_v2(
            file.c_str(), &opened,
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE, vfs.name().c_str());
        db_.reset(opened);
        run("PRAGMA synchronous = " + synchronous);
        run("PRAGMA cache_size = 4"); // a transaction spills
    }

    [[nodiscard]] int opened() const { return opened_; }
    [[nodiscard]] sqlite3* get() const { return db_.get(); }

    int run(const std::string& sql) {
        return sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    }

    /// The first column of all rows, each followed by a blank; or "error <code>".
    std::string ask(const std::string& sql) {
        std::string all;
        const auto add = [](void* to, int, char** columns, char**) {
            *static_cast<std::string*>(to) += columns[0] != nullptr ? columns[0] : "null";
            *static_cast<std::string*>(to) += ' ';
            return 0;
        };
        const int code = sqlite3_exec(db_.get(), sql.c_str(), add, &all, nullptr);
        return code == SQLITE_OK ? all : "error " + std::to_string(code);
    }

private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };

    int opened_ = 0;
    std::unique_ptr<sqlite3, Close> db_;
};

constexpr int old_sum = 40 * 1;
constexpr int new_sum = 40 * 2 + 30 * 2;

/// A database of 40 rows with the value 1, all of it durable.
struct Machine {
    explicit Machine(std::uint64_t seed = 1) : vfs("sim", disk, seed) {
        vfs.seed_sqlite();
        disk.mount("/d");
        Db db(vfs);
        BOOST_REQUIRE(db.run("CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER, pad TEXT);"
                             "CREATE INDEX i ON t (v, k)") == SQLITE_OK);
        BOOST_REQUIRE(db.run("WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n"
                             " WHERE k < 40) INSERT INTO t SELECT k, 1, hex(zeroblob(200))"
                             " FROM n") == SQLITE_OK);
        disk.settle();
    }

    /// Changes each of the 40 rows and adds 30 with other contents.
    static bool change(Db& db) {
        return db.run("BEGIN; UPDATE t SET v = 2;"
                      "WITH RECURSIVE n(k) AS (SELECT 41 UNION ALL SELECT k + 1 FROM n"
                      " WHERE k < 70) INSERT INTO t SELECT k, 2, hex(zeroblob(100)) FROM n;"
                      "COMMIT") == SQLITE_OK;
    }

    /// "old", "new", or what is wrong.
    std::string state(const std::string& file = path) {
        Db db(vfs, file);
        const std::string verdict = db.ask("PRAGMA integrity_check");
        const std::string sum = db.ask("SELECT sum(v) FROM t");
        if (verdict != "ok ") {
            return "broken: " + verdict;
        }
        return sum == std::to_string(old_sum) + ' '   ? "old"
               : sum == std::to_string(new_sum) + ' ' ? "new"
                                                      : "partly: " + sum;
    }

    SimDisk disk;
    SimVfs vfs;
};

struct Outcomes {
    std::map<std::string, int> states;
    int points = 0;
    std::size_t hot = 0; ///< After how many crashes a journal lay there.
};

/// Cuts the power at each call of a transaction in turn, and looks what the machine finds when it
/// is on again.
Outcomes crash_everywhere(const std::string& synchronous, std::uint64_t seed) {
    Outcomes outcomes;
    for (bool done = false; !done;) {
        Machine machine(seed);
        bool committed = false;
        {
            Db db(machine.vfs, path, synchronous);
            machine.disk.halt_at(static_cast<std::uint64_t>(++outcomes.points));
            committed = Machine::change(db);
            done = machine.disk.fault_pending();
        } // closed while the power is off
        machine.disk.crash(seed * 1000 + static_cast<std::uint64_t>(outcomes.points));
        outcomes.hot += machine.disk.content(journal).has_value() ? 1 : 0;
        const std::string state = machine.state();
        ++outcomes.states[committed && state == "old" ? "forgotten" : state];
    }
    return outcomes;
}

} // namespace

// ---- SQLite as usual.

BOOST_AUTO_TEST_CASE(sqlite_keeps_a_schema_and_rows_on_a_simulated_disk) {
    Machine machine;
    BOOST_TEST(machine.state() == "old");
    const auto content = machine.disk.content(path);
    BOOST_REQUIRE(content);
    BOOST_TEST(content->bytes.starts_with("SQLite format 3"));
    BOOST_TEST(content->bytes.size() % 4096 == 0U);
    BOOST_TEST(content->size == static_cast<std::int64_t>(content->bytes.size()));
    BOOST_TEST(!machine.disk.content(journal)); // the journal was a file and is deleted
    Db db(machine.vfs);
    BOOST_TEST(Machine::change(db));
    BOOST_TEST(machine.state() == "new");
}

BOOST_AUTO_TEST_CASE(a_copy_of_the_file_is_a_database_and_a_torn_one_is_not) {
    Machine machine;
    const std::string bytes = machine.disk.content(path)->bytes;
    machine.disk.write("/d/copy.db", bytes);
    BOOST_TEST(machine.state("/d/copy.db") == "old");
    machine.disk.write("/d/torn.db", bytes.substr(0, bytes.size() / 2));
    BOOST_TEST(machine.state("/d/torn.db").starts_with("broken"));
}

BOOST_AUTO_TEST_CASE(a_file_shrinks_and_grows_as_sqlite_wants_it) {
    Machine machine;
    Db db(machine.vfs);
    BOOST_TEST(Machine::change(db));
    const auto before = machine.disk.content(path)->size;
    BOOST_TEST(db.run("DELETE FROM t WHERE k > 5; VACUUM") == SQLITE_OK);
    BOOST_TEST(machine.disk.content(path)->size < before);
    BOOST_TEST(db.ask("PRAGMA integrity_check") == "ok ");
    BOOST_TEST(db.ask("SELECT sum(v) FROM t") == "10 ");
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_into_memory_goes_to_files_without_a_name) {
    Machine machine;
    Db db(machine.vfs);
    BOOST_TEST(db.run("PRAGMA temp_store = FILE") == SQLITE_OK);
    BOOST_TEST(db.run("CREATE TEMP TABLE big AS WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL"
                      " SELECT k + 1 FROM n WHERE k < 3000) SELECT k, hex(zeroblob(200)) AS pad"
                      " FROM n") == SQLITE_OK);
    BOOST_TEST(db.ask("SELECT count(DISTINCT k + length(pad)) FROM big") == "3000 ");
    BOOST_TEST(machine.disk.list("/d").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_transaction_over_two_files_is_one) {
    Machine machine;
    Db db(machine.vfs);
    BOOST_TEST(db.run("ATTACH '/d/y.db' AS y; CREATE TABLE y.t (v INTEGER)") == SQLITE_OK);
    BOOST_TEST(db.run("BEGIN; UPDATE t SET v = 2; INSERT INTO y.t VALUES (7); COMMIT") ==
               SQLITE_OK);
    BOOST_TEST(Db(machine.vfs, "/d/y.db").ask("SELECT v FROM t") == "7 ");
    BOOST_TEST(machine.disk.list("/d").size() == 2U); // the super-journal is gone as well
}

// ---- Power cuts.

BOOST_AUTO_TEST_CASE(wherever_the_power_goes_the_rows_are_the_old_or_the_new_ones) {
    for (const std::string synchronous : {"FULL", "EXTRA"}) {
        Outcomes all;
        for (std::uint64_t seed = 1; seed <= 12; ++seed) {
            const Outcomes some = crash_everywhere(synchronous, seed);
            all.points += some.points;
            all.hot += some.hot;
            for (const auto& [state, times] : some.states) {
                all.states[state] += times;
            }
        }
        BOOST_TEST_MESSAGE(synchronous << ": " << all.points << " cuts, " << all.hot
                                       << " with a journal, old " << all.states["old"] << ", new "
                                       << all.states["new"] << ", forgotten "
                                       << all.states["forgotten"]);
        BOOST_TEST(all.states["old"] > 0);
        BOOST_TEST(all.states["new"] > 0);
        BOOST_TEST(all.hot > 0U);
        // FULL does not sync the directory: a deleted journal may come back and undo the commit.
        BOOST_TEST((all.states["forgotten"] > 0) == (synchronous == "FULL"));
        BOOST_TEST(all.states["old"] + all.states["new"] + all.states["forgotten"] == all.points);
    }
}

BOOST_AUTO_TEST_CASE(the_simulation_sees_what_sqlite_does_not_sync) {
    std::map<std::string, int> broken;
    for (const std::string synchronous : {"OFF", "FULL"}) {
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            for (const auto& [state, times] : crash_everywhere(synchronous, seed).states) {
                const bool fine = state == "old" || state == "new" || state == "forgotten";
                broken[synchronous] += fine ? 0 : times;
            }
        }
    }
    BOOST_TEST_MESSAGE("broken without syncs: " << broken["OFF"]);
    BOOST_TEST(broken["OFF"] > 0);
    BOOST_TEST(broken["FULL"] == 0);
}

BOOST_AUTO_TEST_CASE(a_power_cut_that_keeps_nothing_unsynced_is_one_of_them) {
    for (std::uint64_t n = 1;; ++n) {
        Machine machine;
        bool committed = false;
        bool done = false;
        {
            Db db(machine.vfs, path, "EXTRA");
            machine.disk.halt_at(n);
            committed = Machine::change(db);
            done = machine.disk.fault_pending();
        }
        machine.disk.crash();
        const std::string state = machine.state();
        BOOST_TEST((state == "new" || (state == "old" && !committed)), "cut at " << n);
        if (done) {
            BOOST_TEST(n > 30U);
            break;
        }
    }
}

BOOST_AUTO_TEST_CASE(a_hot_journal_is_played_back) {
    Machine machine;
    {
        Db db(machine.vfs);
        // The database itself is synced; then only the journal's end is missing.
        machine.disk.fail_next(SimCall::vfs_delete, journal, Error::io, 0);
        BOOST_TEST(!Machine::change(db));
        machine.vfs.kill(); // nobody rolls back
    }
    machine.disk.clear_faults();
    BOOST_TEST(machine.disk.content(journal)->bytes.size() > 512U);
    const std::string before = machine.disk.content(path)->bytes;
    BOOST_TEST(machine.state() == "old");
    BOOST_TEST(!machine.disk.content(journal));
    BOOST_TEST((machine.disk.content(path)->bytes != before));
}

BOOST_AUTO_TEST_CASE(a_database_whose_hot_journal_is_taken_away_is_not_what_it_was) {
    Machine machine;
    {
        Db db(machine.vfs);
        machine.disk.fail_next(SimCall::vfs_delete, journal, Error::io, 0);
        BOOST_TEST(!Machine::change(db));
        machine.vfs.kill();
    }
    machine.disk.clear_faults();
    BOOST_TEST(machine.disk.remove(journal));
    BOOST_TEST(machine.state() == "new"); // it was all written, and only the journal said "no"
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_bytes_and_another_seed_others) {
    const auto after_a_crash = [](std::uint64_t seed) {
        Machine machine(seed);
        {
            Db db(machine.vfs);
            BOOST_TEST(db.run("INSERT INTO t VALUES (100, random(), hex(randomblob(8)))") ==
                       SQLITE_OK);
            machine.disk.halt_at(60);
            Machine::change(db);
        }
        machine.disk.crash(seed);
        return machine.disk.dump();
    };
    const Names once = after_a_crash(7);
    BOOST_TEST((after_a_crash(7) == once));
    BOOST_TEST((after_a_crash(8) != once));
    BOOST_TEST((after_a_crash(7) == once));
}

// ---- A process that is killed.

BOOST_AUTO_TEST_CASE(what_a_killed_process_committed_stays_and_the_rest_is_rolled_back) {
    for (std::uint64_t n = 1;; ++n) {
        Machine machine;
        bool committed = false;
        std::uint64_t calls = 0;
        {
            Db db(machine.vfs);
            machine.disk.on_call([&](SimCall, const std::string&) {
                if (++calls == n) {
                    machine.vfs.kill();
                }
            });
            committed = Machine::change(db);
        }
        machine.disk.on_call(nullptr);
        const std::string state = machine.state();
        BOOST_TEST((state == "new" || (state == "old" && !committed)), "killed at " << n);
        if (calls < n) {
            break;
        }
    }
}

BOOST_AUTO_TEST_CASE(the_dead_touch_nothing_any_more_and_their_locks_are_void) {
    Machine machine;
    Db dead(machine.vfs);
    BOOST_TEST(dead.run("BEGIN EXCLUSIVE; UPDATE t SET v = 9") == SQLITE_OK);
    Db other(machine.vfs);
    BOOST_TEST(other.ask("SELECT 1 FROM t LIMIT 1") == "error " + std::to_string(SQLITE_BUSY));
    machine.vfs.kill();
    const Names before = machine.disk.dump();
    const std::uint64_t calls = machine.disk.calls();
    BOOST_TEST((dead.run("COMMIT") & 0xff) == SQLITE_IOERR);
    BOOST_TEST(dead.run("SELECT * FROM t") != SQLITE_OK);
    BOOST_TEST(dead.run("ROLLBACK") != SQLITE_BUSY);
    BOOST_TEST(machine.disk.calls() == calls);
    BOOST_TEST((machine.disk.dump() == before));
    BOOST_TEST(machine.state() == "old"); // by a process that was started since
    BOOST_TEST(Machine::change(*std::make_unique<Db>(machine.vfs)));
}

// ---- Faults.

BOOST_AUTO_TEST_CASE(a_call_that_fails_anywhere_leaves_the_old_or_the_new_rows) {
    for (const Error error : {Error::io, Error::no_space}) {
        int refused = 0;
        int unsure = 0;
        for (std::uint64_t n = 1;; ++n) {
            Machine machine;
            bool committed = false;
            {
                Db db(machine.vfs);
                machine.disk.fail_at(n, error);
                committed = Machine::change(db);
                refused += committed ? 0 : 1;
                db.run("ROLLBACK");
            }
            const bool done = machine.disk.fault_pending();
            machine.disk.clear_faults();
            const std::string state = machine.state();
            BOOST_TEST((state == "new" || (state == "old" && !committed)), n << ": " << state);
            unsure += state == "new" && !committed ? 1 : 0;
            if (done) {
                break;
            }
        }
        BOOST_TEST(refused > 20);
        BOOST_TEST(unsure == 1); // the lock is given back after the commit
    }
}

BOOST_AUTO_TEST_CASE(each_call_that_fails_has_sqlites_code) {
    struct Case {
        SimCall call;
        Error error;
        int code;
    };
    for (const Case& each : {
             Case{SimCall::vfs_write, Error::no_space, SQLITE_FULL},
             Case{SimCall::vfs_write, Error::io, SQLITE_IOERR_WRITE},
             Case{SimCall::vfs_sync, Error::io, SQLITE_IOERR_FSYNC},
             Case{SimCall::vfs_delete, Error::io, SQLITE_IOERR_DELETE},
             Case{SimCall::vfs_lock, Error::io, SQLITE_IOERR_LOCK},
             Case{SimCall::vfs_access, Error::io, SQLITE_IOERR_ACCESS},
             Case{SimCall::vfs_read, Error::io, SQLITE_IOERR_READ},
             Case{SimCall::vfs_size, Error::io, SQLITE_IOERR_FSTAT},
             Case{SimCall::vfs_open, Error::io, SQLITE_CANTOPEN},
             Case{SimCall::vfs_is_reserved, Error::io, SQLITE_IOERR_CHECKRESERVEDLOCK},
         }) {
        Machine machine;
        Db db(machine.vfs);
        if (each.call == SimCall::vfs_is_reserved) {
            machine.disk.write(journal, std::string(1024, 'x')); // makes SQLite ask
        }
        machine.disk.fail_next(each.call, "/d", each.error);
        const int code = db.run("UPDATE t SET v = 2");
        BOOST_TEST(code == each.code, static_cast<int>(each.call) << " gives " << code);
        db.run("ROLLBACK");
        BOOST_TEST(db.run("UPDATE t SET v = 3") == SQLITE_OK);
    }
}

BOOST_AUTO_TEST_CASE(a_truncate_that_fails_is_reported_and_made_up_for) {
    Machine machine;
    Db db(machine.vfs);
    BOOST_TEST(db.run("DELETE FROM t WHERE k > 5") == SQLITE_OK);
    machine.disk.fail_next(SimCall::vfs_truncate, path, Error::io);
    BOOST_TEST(db.run("VACUUM") == SQLITE_IOERR_TRUNCATE);
    BOOST_TEST(db.ask("PRAGMA integrity_check") == "ok ");
    BOOST_TEST(db.ask("SELECT sum(v) FROM t") == "5 ");
}

BOOST_AUTO_TEST_CASE(a_full_device_refuses_the_change_and_takes_it_when_there_is_room) {
    Machine machine;
    const auto size = static_cast<std::uint64_t>(machine.disk.content(path)->size);
    Db db(machine.vfs);
    machine.disk.mount("/d", size + 100);
    BOOST_TEST(!Machine::change(db));
    BOOST_TEST(sqlite3_errcode(db.get()) == SQLITE_FULL);
    db.run("ROLLBACK");
    BOOST_TEST(machine.state() == "old");
    machine.disk.mount("/d", size * 10);
    BOOST_TEST(Machine::change(db));
    BOOST_TEST(machine.state() == "new");
}

BOOST_AUTO_TEST_CASE(a_short_read_is_filled_with_zeros) {
    Machine machine;
    Db db(machine.vfs);
    sqlite3_file* file = nullptr;
    sqlite3_file_control(db.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
    const auto read = [file](sqlite3_int64 at) {
        std::string bytes(16, 'x');
        const int code = file->pMethods->xRead(file, bytes.data(), 16, at);
        return std::pair(code, bytes);
    };
    const std::string head("SQLite format 3\0", 16);
    BOOST_TEST((read(0) == std::pair(SQLITE_OK, head)));
    const std::int64_t size = machine.disk.content(path)->size;
    BOOST_TEST((read(size) == std::pair(SQLITE_IOERR_SHORT_READ, std::string(16, '\0'))));
    BOOST_TEST(read(size - 1).first == SQLITE_IOERR_SHORT_READ);
    machine.disk.fail_next(SimCall::vfs_short_read, path, Error::io, 2);
    const std::string half = head.substr(0, 8) + std::string(8, '\0');
    BOOST_TEST((read(0) == std::pair(SQLITE_IOERR_SHORT_READ, half)));
    BOOST_TEST((read(0) == std::pair(SQLITE_IOERR_SHORT_READ, half)));
    BOOST_TEST((read(0) == std::pair(SQLITE_OK, head)));
}

BOOST_AUTO_TEST_CASE(pages_that_are_read_by_half_are_found_out_by_a_check) {
    Machine machine;
    {
        Db db(machine.vfs);
        machine.disk.fail_next(SimCall::vfs_short_read, path, Error::io, 0);
        BOOST_TEST(db.ask("PRAGMA integrity_check") != "ok ");
    }
    machine.disk.clear_faults();
    BOOST_TEST(machine.state() == "old");
}

BOOST_AUTO_TEST_CASE(a_device_that_goes_fails_its_open_files_and_comes_back_with_all_rows) {
    Machine machine;
    Db db(machine.vfs);
    BOOST_TEST(db.run("BEGIN; UPDATE t SET v = 9") == SQLITE_OK);
    machine.disk.unmount("/d");
    BOOST_TEST((db.run("COMMIT") & 0xff) == SQLITE_IOERR);
    BOOST_TEST(Db(machine.vfs).opened() == SQLITE_OK); // makes a new one, below the mount point
    machine.disk.mount("/d");
    db.run("ROLLBACK");
    BOOST_TEST(machine.state() == "old");
    BOOST_TEST(Machine::change(db));
    BOOST_TEST(machine.state() == "new");
}

BOOST_AUTO_TEST_CASE(a_slow_disk_takes_time_on_the_clock_and_nothing_else) {
    Machine machine;
    machine.disk.delay(SimCall::vfs_sync, path, Seconds(2));
    Db db(machine.vfs);
    const Instant before = machine.disk.clock().monotonic();
    BOOST_TEST(Machine::change(db));
    const Seconds spent = machine.disk.clock().monotonic() - before;
    BOOST_TEST(spent.count() >= 4.0); // the journal, then the database
    machine.disk.clear_faults();
    const Instant after = machine.disk.clock().monotonic();
    BOOST_TEST(db.run("UPDATE t SET v = 1") == SQLITE_OK);
    BOOST_TEST((machine.disk.clock().monotonic() == after));
}

BOOST_AUTO_TEST_CASE(no_exception_passes_through_sqlite) {
    struct Odd {};
    for (std::uint64_t n = 1;; ++n) {
        Machine machine;
        std::uint64_t calls = 0;
        Db db(machine.vfs);
        machine.disk.on_call([&](SimCall, const std::string&) {
            if (++calls == n) {
                throw Odd();
            }
        });
        bool committed = false;
        BOOST_CHECK_NO_THROW(committed = Machine::change(db));
        machine.disk.on_call(nullptr);
        db.run("ROLLBACK");
        const std::string state = machine.state();
        BOOST_TEST((state == "new" || (state == "old" && !committed)), n << ": " << state);
        if (calls < n) {
            break;
        }
    }
}

// ---- Locks.

BOOST_AUTO_TEST_CASE(connections_of_one_and_of_two_processes_conflict_by_sqlites_table) {
    struct Case {
        const char* held;
        const char* wanted;
        bool granted;
    };
    const char* const reads = "BEGIN; SELECT count(*) FROM t";
    for (const Case& each : {
             Case{reads, reads, true},
             Case{reads, "BEGIN IMMEDIATE", true},
             Case{reads, "BEGIN EXCLUSIVE", false},
             Case{"BEGIN IMMEDIATE", reads, true},
             Case{"BEGIN IMMEDIATE", "BEGIN IMMEDIATE", false},
             Case{"BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", false},
             Case{"BEGIN EXCLUSIVE", reads, false},
             Case{"BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", false},
             Case{"BEGIN EXCLUSIVE", "BEGIN EXCLUSIVE", false},
         }) {
        Machine machine;
        const SimVfs elsewhere("sim2", machine.disk, 2);
        for (const SimVfs* const process : {&std::as_const(machine.vfs), &elsewhere}) {
            BOOST_TEST_CONTEXT(each.held << ", then " << each.wanted << " of " << process->name()) {
                Db first(machine.vfs);
                Db second(*process);
                BOOST_TEST(first.run(each.held) == SQLITE_OK);
                BOOST_TEST(second.run(each.wanted) == (each.granted ? SQLITE_OK : SQLITE_BUSY));
                second.run("ROLLBACK");
                BOOST_TEST(first.run("ROLLBACK") == SQLITE_OK);
                BOOST_TEST(second.run(each.wanted) == SQLITE_OK); // it was only that lock
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_writer_who_waits_for_readers_lets_no_new_ones_in) {
    Machine machine;
    Db writer(machine.vfs);
    Db reader(machine.vfs);
    Db late(machine.vfs);
    BOOST_TEST(late.ask("SELECT 1") == "1 ");
    BOOST_TEST(reader.run("BEGIN; SELECT count(*) FROM t") == SQLITE_OK);
    BOOST_TEST(writer.run("BEGIN IMMEDIATE; INSERT INTO t VALUES (500, 1, '')") == SQLITE_OK);
    BOOST_TEST(writer.run("COMMIT") == SQLITE_BUSY); // not a wait
    BOOST_TEST(late.run("SELECT count(*) FROM t") == SQLITE_BUSY);
    BOOST_TEST(reader.ask("SELECT sum(v) FROM t") == "40 ");
    BOOST_TEST(reader.run("COMMIT") == SQLITE_OK);
    BOOST_TEST(writer.run("COMMIT") == SQLITE_OK);
    BOOST_TEST(late.ask("SELECT sum(v) FROM t") == "41 ");
}

BOOST_AUTO_TEST_CASE(a_process_knows_whether_it_has_a_lock) {
    Machine machine;
    Db reader(machine.vfs);
    BOOST_TEST(!machine.vfs.is_locking());
    BOOST_TEST(reader.run("BEGIN; SELECT count(*) FROM t") == SQLITE_OK);
    BOOST_TEST(machine.vfs.is_locking());
    SimVfs other("other process", machine.disk, 2);
    BOOST_TEST(!other.is_locking());
    BOOST_TEST(reader.run("COMMIT") == SQLITE_OK);
    BOOST_TEST(!machine.vfs.is_locking());
    BOOST_TEST(reader.run("BEGIN IMMEDIATE") == SQLITE_OK);
    BOOST_TEST(machine.vfs.is_locking());
    machine.vfs.kill();
    BOOST_TEST(!machine.vfs.is_locking());
}

BOOST_AUTO_TEST_CASE(a_journal_of_somebody_who_lives_is_not_played_back) {
    Machine machine;
    Db writer(machine.vfs);
    BOOST_TEST(writer.run("BEGIN IMMEDIATE; UPDATE t SET v = 2 WHERE k < 3") == SQLITE_OK);
    BOOST_TEST(machine.disk.content(journal).has_value());
    Db reader(machine.vfs);
    BOOST_TEST(reader.ask("SELECT sum(v) FROM t") == "40 ");
    BOOST_TEST(machine.disk.content(journal).has_value());
    BOOST_TEST(writer.run("COMMIT") == SQLITE_OK);
    BOOST_TEST(reader.ask("SELECT sum(v) FROM t") == "42 ");
}

// ---- Names.

BOOST_AUTO_TEST_CASE(an_open_file_knows_when_its_name_leads_elsewhere) {
    Machine machine;
    Db db(machine.vfs);
    const auto moved = [&] {
        int result = -1;
        BOOST_TEST(sqlite3_file_control(db.get(), "main", SQLITE_FCNTL_HAS_MOVED, &result) ==
                   SQLITE_OK);
        return result != 0;
    };
    BOOST_TEST(!moved());
    machine.disk.fail_next(SimCall::vfs_has_moved, path, Error::io);
    BOOST_TEST(moved()); // who cannot look
    BOOST_TEST(!moved());
    machine.disk.rename(path, "/d/y.db");
    BOOST_TEST(moved());
    BOOST_TEST(db.run("UPDATE t SET v = 2") == SQLITE_READONLY_DBMOVED);
    machine.disk.write(path, "another");
    BOOST_TEST(moved());
    machine.disk.rename("/d/y.db", path);
    BOOST_TEST(!moved());
    BOOST_TEST(db.run("UPDATE t SET v = 2") == SQLITE_OK);
}

BOOST_AUTO_TEST_CASE(other_questions_about_a_file_have_no_answer) {
    Machine machine;
    Db db(machine.vfs);
    int bytes = 65536;
    BOOST_TEST(sqlite3_file_control(db.get(), "main", SQLITE_FCNTL_CHUNK_SIZE, &bytes) ==
               SQLITE_NOTFOUND);
    BOOST_TEST(db.ask("PRAGMA journal_mode = WAL") == "delete "); // needs shared memory
}

BOOST_AUTO_TEST_CASE(what_is_no_file_and_what_has_no_directory_is_not_opened) {
    Machine machine;
    machine.disk.make_directories("/d/directory");
    for (const std::string bad : {"/d/directory", "/none/x.db", "x.db"}) {
        BOOST_TEST(Db(machine.vfs, bad).opened() == SQLITE_CANTOPEN, bad);
    }
    sqlite3* opened = nullptr;
    BOOST_TEST(sqlite3_open_v2("/d/none.db", &opened, SQLITE_OPEN_READWRITE, "sim") ==
               SQLITE_CANTOPEN);
    sqlite3_close_v2(opened);
    BOOST_TEST(!machine.disk.content("/d/none.db"));
    BOOST_TEST(!machine.disk.stat("/none"));
}

// ---- The VFS itself.

BOOST_AUTO_TEST_CASE(a_vfs_is_known_for_as_long_as_it_lives_and_never_the_usual_one) {
    sqlite3_vfs* const usual = sqlite3_vfs_find(nullptr);
    {
        SimVfs vfs("sim", SimDisk(), 1);
        BOOST_TEST(sqlite3_vfs_find("sim") != nullptr);
        BOOST_TEST(sqlite3_vfs_find(nullptr) == usual);
        vfs.seed_sqlite();
        BOOST_TEST(sqlite3_vfs_find(nullptr) == usual);
        BOOST_CHECK_THROW(SimVfs("sim", SimDisk(), 1), std::invalid_argument);
        BOOST_TEST(sqlite3_vfs_find("sim") != nullptr);
    }
    BOOST_TEST(sqlite3_vfs_find("sim") == nullptr);
}

BOOST_AUTO_TEST_CASE(sqlites_time_is_the_clock_of_the_node) {
    const SimClock clock;
    const SimClock ahead = clock.apart(Seconds(3600));
    const SimVfs here("here", SimDisk(clock), 1);
    const SimVfs there("there", SimDisk(ahead), 1);
    Db db(here, ":memory:");
    BOOST_TEST(db.ask("SELECT datetime('now')") == "2023-11-14 22:13:20 ");
    BOOST_TEST(Db(there, ":memory:").ask("SELECT datetime('now')") == "2023-11-14 23:13:20 ");
    clock.advance(Seconds(90));
    BOOST_TEST(db.ask("SELECT datetime('now')") == "2023-11-14 22:14:50 ");
    BOOST_TEST(db.ask("SELECT round(julianday('now'), 3)") == "2460263.427 ");
}

BOOST_AUTO_TEST_CASE(sqlite_sleeps_by_moving_the_clock) {
    const SimVfs vfs("sim", SimDisk(), 1);
    sqlite3_vfs* const calls = sqlite3_vfs_find("sim");
    const SimDisk disk;
    const SimVfs other("other", disk, 1);
    sqlite3_vfs* const slept = sqlite3_vfs_find("other");
    const Instant before = disk.clock().monotonic();
    BOOST_TEST(slept->xSleep(slept, 1'500'000) == 1'500'000);
    BOOST_TEST((disk.clock().monotonic() - before == std::chrono::milliseconds(1500)));
    double days = 0;
    BOOST_TEST(calls->xCurrentTime(calls, &days) == SQLITE_OK);
    BOOST_TEST(days == 2460263.42593, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(ids_and_random_values_follow_the_seed) {
    const auto draw = [](std::uint64_t seed) {
        SimVfs vfs("sim", SimDisk(), seed);
        vfs.seed_sqlite();
        return Db(vfs, ":memory:").ask("SELECT hex(randomblob(16))");
    };
    const std::string first = draw(1);
    BOOST_TEST(draw(2) != first);
    BOOST_TEST(draw(1) == first);
}

BOOST_AUTO_TEST_CASE(there_are_no_extensions_to_load) {
    Machine machine;
    Db db(machine.vfs);
    sqlite3_db_config(db.get(), SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, nullptr);
    char* why = nullptr;
    BOOST_TEST(sqlite3_load_extension(db.get(), "/d/x.so", nullptr, &why) == SQLITE_ERROR);
    BOOST_TEST(std::string(why) == "a simulated disk has no libraries");
    sqlite3_free(why);
}
