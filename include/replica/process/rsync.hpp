#ifndef REPLICA_PROCESS_RSYNC_HPP
#define REPLICA_PROCESS_RSYNC_HPP

// Sends files with the program rsync to the rsync daemon of the target's node; every Swift node has
// one. A separate process reads the live database, so no descriptor of ours can drop SQLite's locks
// (defect 65). Unlike Swift there is a deadline for the whole transfer (Swift's may trickle for
// days, defect 33), and the error contains rsync's own messages (defect 62). A daemon that has no
// connection left is tried again for 2 s.

#include <replica/clock.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/process/child.hpp>
#include <replica/process/rsync_module.hpp>
#include <replica/settings.hpp>
#include <replica/words/hash_path.hpp>

#include <boost/process/search_path.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// Models FileSync. A value; copies are independent. Thread safety: any thread.
class RsyncFileSync {
public:
    /// Uses of the settings: rsync_module (empty: `{replication_ip}::<server>`), rsync_compress,
    /// node_timeout (rsync's inactivity) and conn_timeout. `server` is "account" or "container".
    /// `program` is a path, or a name looked up in PATH at each transfer. Throws Failure with
    /// bad_config for an unknown field in the module.
    RsyncFileSync(const Settings& settings, std::string_view server, std::string program = "rsync")
        : module_(settings.rsync_module.empty() ? "{replication_ip}::" + std::string(server)
                                                : settings.rsync_module),
          compress_(settings.rsync_compress), timeout_(option("timeout", settings.node_timeout)),
          contimeout_(option("contimeout", settings.conn_timeout)), program_(std::move(program)) {}

    /// Uses only the path of the source. Faults: missing (no such file here), bad_name, timed_out,
    /// stopped, transfer_failed; io if rsync cannot be run.
    template <Source S>
    [[nodiscard]] Result<Sent> send(S& source, const Upload& upload, Instant deadline,
                                    const std::stop_token& stop) const {
        try {
            return deliver(source.path(), upload, deadline, stop);
        } catch (const Failure& failure) {
            return Fault{failure.code(), failure.what()};
        } catch (const std::exception& other) {
            return Fault{Error::io, "rsync: " + std::string(other.what())};
        }
    }

    /// The arguments of rsync in the order of a stock replicator (Swift: _rsync_file), and
    /// --ignore-times. Without it rsync skips a file whose size and modification time in whole
    /// seconds equal those of the target, and reports success: a database written to in the second
    /// in which its upload finished would never be corrected by the second transfer.
    [[nodiscard]] std::vector<std::string> arguments(const std::string& path,
                                                     const Upload& upload) const {
        std::vector<std::string> arguments{"--quiet", "--no-motd", timeout_, contimeout_};
        if (upload.whole_file) {
            arguments.emplace_back("--whole-file");
        }
        if (compress_ && upload.different_region) {
            arguments.emplace_back("--compress");
        }
        arguments.emplace_back("--ignore-times");
        arguments.push_back(path);
        arguments.push_back(module_.of(upload.target) + '/' + upload.target.device + "/tmp/" +
                            upload.name);
        return arguments;
    }

private:
    /// Whole seconds, rounded up: rsync accepts no fractions.
    [[nodiscard]] static std::string option(std::string_view name, Seconds seconds) {
        const double whole = std::clamp(std::ceil(seconds.count()), 0.0, 1e9);
        return "--" + std::string(name) + '=' + std::to_string(static_cast<long>(whole));
    }

    [[nodiscard]] Result<Sent> deliver(const std::string& path, const Upload& upload,
                                       Instant deadline, const std::stop_token& stop) const {
        const std::vector<std::string> list = arguments(path, upload);
        const std::string& target = list.back();
        const auto fault = [&](Error error, const std::string& reason) {
            return Fault{error, "rsync to " + printable(target) + ": " + reason};
        };
        const bool is_option = target.starts_with('-') || !path.starts_with('/');
        if (is_option || target.find('\0') != std::string::npos || !is_safe_name(upload.name) ||
            !is_safe_name(upload.target.device)) {
            return fault(Error::bad_name, "an unsafe name, or a path that is not absolute");
        }
        const auto status = PosixDisk().stat(path);
        if (!status) {
            return fault(Error::missing, path + " does not exist");
        }
        if (stop.stop_requested()) {
            return fault(Error::stopped, "not started: stopping");
        }
        if (SystemClock().monotonic() >= deadline) {
            return fault(Error::timed_out, "not begun, the deadline has passed");
        }
        const std::string program = program_.find('/') != std::string::npos
                                        ? program_
                                        : boost::process::search_path(program_).string();
        if (program.empty()) {
            return fault(Error::io, "no program " + program_ + " in PATH");
        }
        Ended ended = run_program(program, list, deadline, stop);
        for (int times = 1; is_busy(ended) && times < most_tries; ++times) {
            const Instant again = SystemClock().monotonic() + pause;
            if (again >= deadline) {
                break;
            }
            if (!SystemClock().sleep_until(again, stop)) {
                ended.how = Ended::How::stopped;
                break;
            }
            ended = run_program(program, list, deadline, stop);
        }
        if (ended.how == Ended::How::exited && ended.code == 0) {
            return Sent{.bytes = status->size};
        }
        return fault(error_of(ended), reason_of(ended, list));
    }

    static constexpr int most_tries = 5; ///< With the pauses 2 s.
    static constexpr auto pause = std::chrono::milliseconds(500);

    /// The daemon has as many connections as its module allows ("max connections"). The transfers
    /// of many nodes may meet there (defect 44).
    [[nodiscard]] static bool is_busy(const Ended& ended) {
        constexpr int no_protocol = 5; // see rsync(1)
        return ended.how == Ended::How::exited && ended.code == no_protocol &&
               ended.output.find("@ERROR: max connections") != std::string::npos;
    }

    [[nodiscard]] static Error error_of(const Ended& ended) {
        constexpr int no_data_in_time = 30; // see rsync(1)
        switch (ended.how) {
        case Ended::How::timed_out:
            return Error::timed_out;
        case Ended::How::stopped:
            return Error::stopped;
        case Ended::How::exited:
            return ended.code == no_data_in_time ? Error::timed_out : Error::transfer_failed;
        case Ended::How::signalled:
            break;
        }
        return Error::transfer_failed;
    }

    /// How rsync ended, its messages and its arguments (defect 62).
    [[nodiscard]] std::string reason_of(const Ended& ended,
                                        const std::vector<std::string>& list) const {
        std::string text;
        switch (ended.how) {
        case Ended::How::timed_out:
            text = "ended at the deadline";
            break;
        case Ended::How::stopped:
            text = "ended by a stop";
            break;
        case Ended::How::exited:
            text = "exit code " + std::to_string(ended.code);
            break;
        case Ended::How::signalled:
            text = "killed by signal " + std::to_string(ended.code);
            break;
        }
        text += ": " + (ended.output.empty() ? "no message" : printable(ended.output)) + " [";
        text += program_;
        for (const std::string& argument : list) {
            text += ' ' + printable(argument);
        }
        return text + ']';
    }

    /// One line for a log, whatever the other side wrote.
    [[nodiscard]] static std::string printable(std::string text) {
        while (text.ends_with('\n')) {
            text.pop_back();
        }
        std::ranges::replace_if(
            text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
        return text;
    }

    RsyncModule module_;
    bool compress_;
    std::string timeout_;
    std::string contimeout_;
    std::string program_;
};

static_assert(FileSync<RsyncFileSync>);

} // namespace replica

#endif // REPLICA_PROCESS_RSYNC_HPP
