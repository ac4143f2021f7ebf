// What of a configuration a running service can take over. The rest keeps its value until the
// process is started anew, and is named, so that nobody believes in an option that does not count.
#ifndef REPLICA_DAEMON_RELOAD_HPP
#define REPLICA_DAEMON_RELOAD_HPP

#include <replica/daemon/options.hpp>
#include <replica/daemon/settings.hpp>

#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica::daemon {

/// Gives the options that need a restart the values that they have `now`. Returns a line for each
/// that was to change.
[[nodiscard]] inline std::vector<std::string> keep_options_of_the_start(DaemonSettings& changed,
                                                                        const DaemonSettings& now) {
    std::vector<std::string> lines;
    for_each_option([&]<class T>(const Option<T>& option) {
        T& value = changed.*option.member;
        const T& kept = now.*option.member;
        if (needs_a_restart(option.name) && !(value == kept)) {
            lines.push_back(std::string{option.name} + " = " + format_value(option, value) +
                            " needs a restart; until then it is " + format_value(option, kept));
            value = kept;
        }
    });
    return lines;
}

/// A successor on its way from the thread that made it to the one that waits for the right moment.
/// Thread safety: any thread.
template <class T>
class Successor {
public:
    /// Takes the place of one that has not been fetched.
    void offer(std::unique_ptr<T> successor) {
        const std::lock_guard guard(mutex_);
        successor_.swap(successor);
        offered_.request_stop();
    }

    /// A stop is requested as soon as there is one to fetch.
    [[nodiscard]] std::stop_token offered() const {
        const std::lock_guard guard(mutex_);
        return offered_.get_token();
    }

    /// Empty if there is none.
    [[nodiscard]] std::unique_ptr<T> fetch() {
        const std::lock_guard guard(mutex_);
        offered_ = std::stop_source();
        return std::exchange(successor_, nullptr);
    }

private:
    mutable std::mutex mutex_;
    std::stop_source offered_;
    std::unique_ptr<T> successor_;
};

} // namespace replica::daemon

#endif
