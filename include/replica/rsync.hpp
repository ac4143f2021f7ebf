#ifndef REPLICA_RSYNC_HPP
#define REPLICA_RSYNC_HPP

// Sends a whole database file, then has the peer put it in place. The live file is sent first,
// since nearly always nobody writes to it meanwhile. If somebody did, what has arrived is torn, and
// a private copy made through the broker is sent instead. (The seed sends again while it holds the
// write lock, and so keeps clients out for as long as two disks take to checksum: defect 33.)

#include <replica/decide.hpp>
#include <replica/message.hpp>
#include <replica/observer.hpp>
#include <replica/pass.hpp>
#include <replica/storage.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace replica {

namespace detail {

/// A database as something to send: a path for another process, and a copy through its broker.
template <class D>
struct DatabaseSource {
    D* database;
    std::string file;

    [[nodiscard]] const std::string& path() const { return file; }
    void copy_to(const std::string& target, Instant deadline) {
        database->copy_to(target, deadline);
    }
};

/// Removes a private copy, whatever happens.
template <Disk D>
class PrivateFile {
public:
    PrivateFile(D& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
    PrivateFile(const PrivateFile&) = delete;
    PrivateFile& operator=(const PrivateFile&) = delete;
    ~PrivateFile() {
        try {
            disk_.remove(path_);
        } catch (const Failure&) {
            return; // The sweep of tmp takes it in a week.
        }
    }

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    D& disk_;
    std::string path_;
};

/// How a live file looks from outside. Equal before and after a transfer, and no journal at either
/// time: nobody has written.
template <class P>
[[nodiscard]] std::optional<std::pair<FileStatus, std::uint64_t>> look(Task<P>& task) {
    auto& disk = task.pass.broker.disk();
    const auto status = disk.stat(task.found.path);
    if (!status || disk.stat(task.found.path + "-journal")) {
        return std::nullopt;
    }
    return std::pair(*status, task.database().version());
}

} // namespace detail

/// Delivers the file and finishes remotely with `Finish`: CompleteRsync or RsyncThenMerge (seed:
/// _rsync_db).
///
/// The upload bears the sender's id, which is all a stock receiver accepts, so there must never be
/// two of them under way: after a finish whose answer did not come, this database is not sent to
/// this peer for twice the time that was waited, since the peer may still be merging (defect 6).
///
/// Time: a floor of 1 MiB/s beside node_timeout for the transfer; for the finish node_timeout and
/// one second for each 2000 rows of both sides, at most a day (defect 34).
template <class Finish, class P>
[[nodiscard]] Result<decide::Outcome> push_file(Task<P>& task, Conversation<P>& peer,
                                                std::int64_t remote_rows) {
    P& pass = task.pass;
    auto& disk = pass.broker.disk();
    const std::string key = task.found.hash + ' ' + peer.address() + '/' + peer.device().device;
    if (pass.memory.transfers.held(key, pass.clock.monotonic())) {
        return Fault{Error::held_back, key + ": the last transfer may still be at work there"};
    }

    const auto before = detail::look(task);
    const auto status = disk.stat(task.found.path);
    const double bytes = status ? static_cast<double>(status->size) : 0;
    const Seconds patience = pass.settings.node_timeout + Seconds(bytes / (1 << 20));
    const Upload upload{peer.device(), task.info.id, peer.device().region != task.local.region,
                        true};
    detail::DatabaseSource<typename P::database_type> source{&task.opened, task.found.path};
    const auto deliver = [&](auto& from, const Upload& how) {
        const Instant deadline = pass.after(patience);
        task.pulse.expect(deadline + to_duration(pass.settings.watchdog));
        return pass.files.send(from, how, deadline, pass.stop);
    };

    Result<Sent> sent = Sent{};
    bool snapshot = true;
    if (before) {
        sent = deliver(source, upload);
        if (!sent) {
            return sent.error();
        }
        snapshot = detail::look(task) != before;
    }
    if (snapshot) {
        const detail::PrivateFile copy(disk, task.device_path() + "/tmp/" + task.info.id + '.' +
                                                 pass.random.name() + ".copy");
        disk.make_directories(storage::parent(copy.path()));
        const Instant deadline = pass.after(patience);
        task.pulse.expect(deadline + to_duration(pass.settings.watchdog));
        task.database().copy_to(copy.path(), deadline);
        source.file = copy.path();
        Upload again = upload;
        again.whole_file = !before.has_value();
        sent = deliver(source, again);
        if (!sent) {
            return sent.error();
        }
    }
    pass.count(&Stats::bytes, sent->bytes);

    const double rows = static_cast<double>(task.info.count) + static_cast<double>(remote_rows);
    const Seconds wait =
        pass.settings.node_timeout + Seconds(std::clamp(rows / 2000, 0.0, 86400.0));
    const Finish finish{task.info.id, storage::base(task.found.path)};
    auto reply = peer.expect_success(message::encode_finish(finish), wait, false);
    if (!reply) {
        if (reply.error().code == Error::timed_out ||
            reply.error().code == Error::connection_lost) {
            pass.memory.transfers.hold(key, pass.after(2 * wait));
        }
        return reply.error();
    }
    pass.observer(event::WholeFileSent{task.found.path, peer.device(), sent->bytes,
                                       Finish::verb == message::RsyncThenMerge::verb, snapshot});
    return decide::Outcome::done;
}

} // namespace replica

#endif // REPLICA_RSYNC_HPP
