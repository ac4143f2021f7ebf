#ifndef REPLICA_TEST_SIM_EXHAUSTIVE_CHECK_HPP
#define REPLICA_TEST_SIM_EXHAUSTIVE_CHECK_HPP

// When the machine is on again: new processes on what the disks have, then passes of both nodes.

#include "look.hpp"
#include <replica/storage/place.hpp>
#include <replica/words/message.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <set>
#include <string>
#include <vector>

namespace replica::test {

template <class Kind>
class Check {
public:
    /// Node `cut` of the world has come back; `first` makes the first pass.
    Check(World<Kind>& world, const Operation<Kind>& operation, std::size_t cut, std::size_t first)
        : operation_(operation), cut_(cut), first_(first), world_(world), look_(world, operation) {
        for (const auto& [path, bytes] : world.disk(cut).dump()) {
            if (is_set_aside(path)) {
                aside_.insert(path);
            }
        }
    }

    /// All complaints.
    [[nodiscard]] std::vector<std::string> run() {
        return complaints_of([this] { look_and_pass(); });
    }

    /// The same after a request that was repeated by something between the nodes: the receiver is
    /// to finish an upload that has lain in its tmp since before the cut. It may only say that all
    /// is well if it is.
    [[nodiscard]] std::vector<std::string> run_after_finish(const std::string& upload) {
        return complaints_of([&] {
            aside_.erase(upload);
            const std::string name = storage::base(upload);
            const std::string body = look_.has(cut_)
                                         ? message::encode_finish(message::RsyncThenMerge{name, {}})
                                         : message::encode_finish(message::CompleteRsync{name, {}});
            const Reply reply = world_.nodes.node(cut_).server.handle(
                {"sda", std::to_string(world_.name.partition), world_.name.hash, body, false});
            if (reply.status == 204 &&
                !std::ranges::includes(look_.live(cut_), look_.live(1 - cut_))) {
                look_.complain("an upload was accepted that has not all rows");
            }
            look_and_pass();
        });
    }

private:
    template <class Run>
    [[nodiscard]] std::vector<std::string> complaints_of(const Run& run) {
        try {
            run();
        } catch (const std::exception& failure) {
            look_.complain(std::string("thrown: ") + failure.what());
        }
        return look_.complaints();
    }

    void look_and_pass() {
        look_.look();
        look_.start_again(cut_);
        watch_what_is_aside();
        for (const std::size_t at : {first_, 1 - first_}) {
            const Stats stats = world_.nodes.pass(at);
            if (!operation_.broken && stats.failure + stats.errors + stats.stale != 0) {
                look_.complain("the first pass of node " + std::to_string(at) + " fails");
            }
        }
        world_.disk(cut_).on_call(nullptr);
        if (world_.nodes.settle() < 0) {
            look_.complain("does not come to rest");
        }
        look_.look_at_the_end(operation_.live);
    }

    /// Nobody may look into what was set aside before the cut; else the bytes there would matter
    /// (cuts.hpp).
    void watch_what_is_aside() {
        world_.disk(cut_).on_call([this](SimCall call, const std::string& path) {
            const std::string name = storage::base(path);
            if (call == SimCall::write) {
                aside_.erase(path);
            } else if (call == SimCall::rename && name.starts_with('.')) { // rsync replaces it
                aside_.erase(storage::parent(path) + '/' + name.substr(1));
            } else if (call != SimCall::stat && aside_.contains(path)) {
                look_.complain("something is done to " + path);
            }
        });
    }

    const Operation<Kind>& operation_;
    std::size_t cut_;
    std::size_t first_;
    World<Kind>& world_;
    Look<Kind> look_;
    std::set<std::string> aside_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_EXHAUSTIVE_CHECK_HPP
