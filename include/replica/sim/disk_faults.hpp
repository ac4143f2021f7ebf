#ifndef REPLICA_SIM_DISK_FAULTS_HPP
#define REPLICA_SIM_DISK_FAULTS_HPP

// Which call of a simulated disk or database fails. A rule names a call and a part of its path. A
// countdown makes the n-th call fail: a test loops n = 1, 2, 3... until the operation succeeds, and
// so fails it at each call without knowing their number.

#include <replica/error.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// A call that can be made to fail. The first group is the concept Disk, the second is writing by
/// tests and transfers, the third is a simulated database.
enum class SimCall {
    any, ///< In a rule: all calls.

    list,
    stat,
    is_mount,
    space,
    read,
    make_directories,
    rename,
    rename_new,
    exchange,
    make_link,
    read_link,
    remove,
    remove_empty,
    remove_tree,
    sync,
    try_lock,
    try_hold,
    is_held,

    write,

    open,   ///< A database is opened.
    query,  ///< A database is read.
    commit, ///< It is changed; a failed commit changes nothing.
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
        for (auto rule = rules_.begin(); rule != rules_.end(); ++rule) {
            if ((rule->call == SimCall::any || rule->call == call) &&
                path.find(rule->part) != std::string::npos) {
                const Error error = rule->error;
                if (rule->times > 0 && --rule->times == 0) {
                    rules_.erase(rule);
                }
                raise(error, path, "injected fault");
            }
        }
    }

    /// The next `times` calls of this kind whose path contains `part` fail; 0: for ever.
    void fail(SimCall call, std::string part, Error error, int times) {
        rules_.push_back({call, std::move(part), error, times});
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
        int times; // 0: for ever
    };

    [[noreturn]] static void raise(Error error, const std::string& path, const std::string& why) {
        throw Failure(error, path + ": " + why);
    }

    std::vector<Rule> rules_;
    std::uint64_t calls_ = 0;
    std::uint64_t countdown_ = 0; // 0: none
    Error countdown_error_ = Error::io;
    bool halts_ = false;
    bool halted_ = false;
};

} // namespace replica

#endif // REPLICA_SIM_DISK_FAULTS_HPP
