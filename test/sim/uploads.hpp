#ifndef REPLICA_TEST_SIM_UPLOADS_HPP
#define REPLICA_TEST_SIM_UPLOADS_HPP

// What a replicator of ours may not do while it does not know the end of a transfer: have the peer
// put another file in place of the one that the peer had then (defect 6). A stock server may still
// be merging, and goes on with whatever comes. And no file goes under a name that a server of ours
// refuses: it would be taken for one that does not know the verb.

#include "layout.hpp"
#include "record.hpp"
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/settings.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/network.hpp>
#include <replica/transport.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/message.hpp>
#include <replica/words/put_file.hpp>

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace replica::test {

/// Hears of each request before it is sent and after it is answered.
class UploadWatch {
public:
    /// The process that sends, the peer's address, and the path of the database there.
    using Key = std::tuple<std::string, std::string, std::string>;

    /// `file`: names the file that the peer has now. Throws Violation.
    void begin(const Key& key, std::string_view verb, const std::string& file, Instant now) {
        if (verb == message::Sync::verb) {
            asked_[key] = file;
        }
        const auto held = held_.find(key);
        if (is_finish(verb) && held != held_.end() && now < held->second.until &&
            held->second.file == asked_[key]) {
            throw Violation(std::get<0>(key) + " sends " + std::string(verb) + " for " +
                            std::get<2>(key) + " to " + std::get<1>(key) +
                            " while the last may still be at work");
        }
    }

    void end(const Key& key, std::string_view verb, const std::string& file,
             const Result<Reply>& reply, Instant now) {
        if (verb == message::Sync::verb && asked_[key] != file) {
            asked_.erase(key); // nobody knows for which the answer speaks
        }
        const auto failed = [&](Error error) { return !reply && reply.error().code == error; };
        const bool unknown = failed(Error::timed_out) || failed(Error::connection_lost);
        if (is_finish(verb) && unknown && asked_.contains(key)) {
            held_[key] = {asked_[key], now + to_duration(2 * Settings{}.node_timeout)};
        }
    }

private:
    /// What a peer had, and until when it may be at work.
    struct Held {
        std::string file;
        Instant until;
    };

    [[nodiscard]] static bool is_finish(std::string_view verb) {
        return verb == message::RsyncThenMerge::verb || verb == message::CompleteRsync::verb;
    }

    std::map<Key, std::string> asked_; ///< What the peer had when it was last asked.
    std::map<Key, Held> held_;
};

/// Carries a request in a world, and looks at what a replicator of ours asks and is answered.
template <class W, std::invocable Carry>
[[nodiscard]] Result<Reply> watched(W& world, const SimExchange& exchange, const Request& request,
                                    Carry carry) {
    std::string process; // the sender's; may be gone afterwards
    SimDisk* disk = nullptr;
    for (auto& machine : world.machines) {
        const auto& sender = machine->sender;
        if (sender && sender->replicator && sender->life.get() == world.fibers.running()) {
            process = sender->vfs.name();
        }
        if (SimNetwork::address(machine->ip, Layout::port) == exchange.to) {
            disk = &machine->disk;
        }
    }
    if (process.empty() || disk == nullptr) {
        return carry();
    }
    const std::string path =
        Layout::root + ('/' + request.device) + '/' +
        storage_directory(W::kind_type::datadir, request.partition, request.hash) + '/' +
        request.hash + ".db";
    const auto file = [&] {
        const auto seen = disk->glance(path);
        return seen ? std::to_string(seen->first.inode) : "none";
    };
    const UploadWatch::Key key{process, exchange.to, path};
    try {
        world.uploads.begin(key, exchange.verb, file(), world.clock.monotonic());
    } catch (const Violation& violation) {
        world.fibers.fail(violation);
    }
    auto reply = carry();
    world.uploads.end(key, exchange.verb, file(), reply, world.clock.monotonic());
    if (reply && reply->status == 400 && exchange.verb == message::PutFile::verb) {
        world.fibers.fail(
            Violation(exchange.from + " sends a file that is refused: " + reply->body));
    }
    return reply;
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_UPLOADS_HPP
