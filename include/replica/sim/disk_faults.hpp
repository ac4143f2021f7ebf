#ifndef REPLICA_SIM_DISK_FAULTS_HPP
#define REPLICA_SIM_DISK_FAULTS_HPP

// Which call of a simulated disk fails. A rule names a call and a part of its path. A
// countdown makes the n-th call fail: a test loops n = 1, 2, 3... until the operation succeeds, and
// so fails it at each call without knowing their number.

#include <replica/clock.hpp>
#include <replica/error.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// A call that can be made to fail. The first group is the concept Disk, the second is writing by
/// tests and transfers, the third is SQLite (sim/vfs.hpp).
enum class SimCall {
    any, ///< In a rule: all calls.

    list,             ///< Disk::list().
    stat,             ///< Disk::stat().
    is_mount,         ///< Disk::is_mount().
    space,            ///< Disk::space().
    read,             ///< Disk::read() and read_from().
    make_directories, ///< Disk::make_directories().
    rename,           ///< Disk::rename().
    rename_new,       ///< Disk::rename_new().
    exchange,         ///< Disk::exchange().
    make_link,        ///< Disk::make_link().
    read_link,        ///< Disk::read_link().
    remove,           ///< Disk::remove().
    remove_empty,     ///< Disk::remove_empty().
    remove_tree,      ///< Disk::remove_tree().
    sync,             ///< Disk::sync().
    try_lock,         ///< Disk::try_lock().
    try_hold,         ///< Disk::try_hold().
    is_held,          ///< Disk::is_held().

    write, ///< Disk::append(), and SimDisk::write(), as of a transfer that arrives.

    vfs_open,        ///< A file is opened, or made.
    vfs_read,        ///< A part of a file is read.
    vfs_short_read,  ///< In a rule: a read gives the first half. No call of its own.
    vfs_write,       ///< A part of a file is written.
    vfs_truncate,    ///< A file is made shorter.
    vfs_sync,        ///< Of a file or, with its path, of a directory.
    vfs_size,        ///< The size of a file is asked.
    vfs_lock,        ///< A lock is taken, or made stronger.
    vfs_unlock,      ///< Gives the lock back even if it fails.
    vfs_is_reserved, ///< Whether somebody is about to write.
    vfs_has_moved,   ///< Whether the file has another name by now.
    vfs_delete,      ///< A file, such as a journal, is removed.
    vfs_access,      ///< Whether a file exists.
};

/// The faults of one simulated disk. Not thread safe: the disk guards it.
class SimFaults {
public:
    /// Counts the call. Throws Failure if a rule, the countdown or the halt applies.
    void check(SimCall call, const std::string& path) {
        ++calls_;
        if (halted_ || (countdown_ != 0 && --countdown_ == 0)) {
            halted_ = halts_;
            raise(countdown_error_, path, "injected fault at call " + std::to_string(calls_));
        }
        if (const auto rule = take(rules_, path, call, SimCall::any)) {
            raise(rule->error, path, "injected fault");
        }
    }

    /// Whether a rule for `call` itself applies. The rule is used, no call is counted.
    [[nodiscard]] bool applies(SimCall call, const std::string& path) {
        return take(rules_, path, call, call).has_value();
    }

    /// How much longer the call takes.
    [[nodiscard]] Seconds delay_of(SimCall call, const std::string& path) {
        const auto rule = take(delays_, path, call, SimCall::any);
        return rule ? rule->by : Seconds();
    }

    /// The next `times` calls of this kind whose path contains `part` fail; 0: for ever.
    void fail(SimCall call, std::string part, Error error, int times) {
        rules_.push_back({call, std::move(part), error, {}, times});
    }

    /// Likewise, but the calls are late. The first rule that applies counts.
    void delay(SimCall call, std::string part, Seconds by, int times) {
        delays_.push_back({call, std::move(part), {}, by, times});
    }

    /// The n-th call from now fails, 1 being the next; with `halt` all later ones fail too.
    void fail_at(std::uint64_t n, Error error, bool halt) {
        countdown_ = n;
        countdown_error_ = error;
        halts_ = halt;
        halted_ = false;
    }

    /// Ends all faults.
    void clear() {
        rules_.clear();
        delays_.clear();
        countdown_ = 0;
        halted_ = false;
    }

    /// True until the call of fail_at comes.
    [[nodiscard]] bool pending() const { return countdown_ != 0; }

    /// The number of calls so far.
    [[nodiscard]] std::uint64_t calls() const { return calls_; }

private:
    struct Rule {
        SimCall call;
        std::string part;
        Error error;
        Seconds by;
        int times; // 0: for ever
    };

    /// The first rule for `call` or `all`, which is used by that; empty if there is none.
    [[nodiscard]] static std::optional<Rule> take(std::vector<Rule>& rules, const std::string& path,
                                                  SimCall call, SimCall all) {
        const auto found = std::ranges::find_if(rules, [&](const Rule& rule) {
            return (rule.call == call || rule.call == all) &&
                   path.find(rule.part) != std::string::npos;
        });
        if (found == rules.end()) {
            return std::nullopt;
        }
        std::optional<Rule> rule(*found);
        if (found->times > 0 && --found->times == 0) {
            rules.erase(found);
        }
        return rule;
    }

    [[noreturn]] static void raise(Error error, const std::string& path, const std::string& why) {
        throw Failure(error, path + ": " + why);
    }

    std::vector<Rule> rules_;
    std::vector<Rule> delays_;
    std::uint64_t calls_ = 0;
    std::uint64_t countdown_ = 0; // 0: none
    Error countdown_error_ = Error::io;
    bool halts_ = false;
    bool halted_ = false;
};

} // namespace replica

#endif // REPLICA_SIM_DISK_FAULTS_HPP
