#ifndef REPLICA_TEST_SIM_EXHAUSTIVE_MESSAGES_HPP
#define REPLICA_TEST_SIM_EXHAUSTIVE_MESSAGES_HPP

// Two nodes and two rows, and one pass of which one message goes wrong: each of its requests in
// turn is lost, or its reply; comes twice, late, or once more after any later request. Before each
// request in turn, a client writes to either node. All of these with all of those.

#include "look.hpp"
#include <replica/sim/network.hpp>
#include <replica/transport.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace replica::test {

/// What happens to one request.
struct Trouble {
    enum class Kind {
        none,
        fault,
        late,
        again
    };

    Kind kind = Kind::none;
    SimFault fault = SimFault::refuse;
    std::size_t request = 0;
    std::size_t after = 0; ///< `again`: so many requests were made when it comes once more.

    [[nodiscard]] std::string text() const {
        constexpr std::array faults{"refused", "lost", "without its reply", "with its reply late",
                                    "twice"};
        const std::string which = "request " + std::to_string(request) + ' ';
        return kind == Kind::none    ? "no trouble"
               : kind == Kind::fault ? which + faults.at(static_cast<std::size_t>(fault))
               : kind == Kind::late  ? which + "late"
                                     : which + "again after " + std::to_string(after);
    }
};

/// What a client does, and when.
struct Write {
    std::size_t node = 0;
    std::string row;
    bool deletes = false;
    std::size_t before = 0; ///< Of the pass's requests.

    [[nodiscard]] std::string text() const {
        return std::string(deletes ? "DELETE " : "PUT ") + row + " on node " +
               std::to_string(node) + " before request " + std::to_string(before);
    }
};

template <class Kind>
class Messages {
public:
    /// `operation` is what the pass is of; its rows are r1 and r2.
    explicit Messages(Operation<Kind> operation) : operation_(std::move(operation)) {
        World<Kind> world(operation_.setup);
        start_ = start_of(operation_, world);
        World<Kind> uncut(operation_.setup, start_, 1);
        operation_.act(uncut);
        requests_ = uncut.nodes.network().log().size();
        if (!operation_.done(uncut)) {
            complaints_.emplace_back("it does not do what it is here for");
        }
    }

    void run() {
        for (const Trouble& trouble : troubles()) {
            play(trouble, std::nullopt);
            for (std::size_t before = 0; before <= requests_; ++before) {
                for (const std::size_t node : {0U, 1U}) {
                    play(trouble, Write{node, "r3", false, before});
                    play(trouble, Write{node, "r2", true, before});
                }
            }
        }
    }

    [[nodiscard]] std::size_t requests() const { return requests_; }
    [[nodiscard]] std::uint64_t runs() const { return runs_; }
    [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

private:
    [[nodiscard]] std::vector<Trouble> troubles() const {
        std::vector<Trouble> all{{}};
        for (std::size_t request = 0; request < requests_; ++request) {
            for (const SimFault fault : {SimFault::refuse, SimFault::silent, SimFault::lose_reply,
                                         SimFault::late_reply, SimFault::duplicate}) {
                all.push_back({Trouble::Kind::fault, fault, request});
            }
            all.push_back({Trouble::Kind::late, {}, request});
            for (std::size_t after = request + 1; after <= requests_; ++after) {
                all.push_back({Trouble::Kind::again, {}, request, after});
            }
        }
        return all;
    }

    /// A pass with its trouble and its write.
    class Play {
    public:
        Play(World<Kind>& world, const Trouble& trouble, const std::optional<Write>& write)
            : world_(world), trouble_(trouble), write_(write) {
            world_.nodes.network().before([this](const SimExchange& exchange, const Request& it) {
                if (made_ == trouble_.request && !copy_) {
                    receiver_ =
                        exchange.to == world_.nodes.network().address(world_.nodes.node(1).ip,
                                                                      World<Kind>::Nodes::port)
                            ? 1
                            : 0;
                    copy_ = it;
                }
            });
            world_.nodes.network().after([this](const SimExchange&, const Request&) {
                ++made_;
                between();
            });
            between();
        }

        /// After the pass: what has not come yet comes now.
        void finish() {
            while (made_ < 20) {
                ++made_;
                between();
            }
            world_.nodes.network().before(nullptr);
            world_.nodes.network().after(nullptr);
            world_.nodes.network().heal();
        }

        [[nodiscard]] bool written() const { return written_; }

    private:
        void between() {
            const auto network = world_.nodes.network();
            network.heal();
            if (made_ == trouble_.request && trouble_.kind == Trouble::Kind::fault) {
                network.fail(SimLink{}, trouble_.fault, 1);
            }
            if (made_ == trouble_.request && trouble_.kind == Trouble::Kind::late) {
                network.delay(SimLink{}, Settings().node_timeout + Seconds(15));
            }
            if (made_ == trouble_.after && trouble_.kind == Trouble::Kind::again && copy_) {
                static_cast<void>(world_.nodes.node(receiver_).server.handle(*copy_));
            }
            if (write_ && made_ == write_->before) {
                write();
            }
        }

        void write() {
            if (!world_.nodes.has(write_->node, world_.name)) {
                return; // the client is told so
            }
            if (write_->deletes) {
                world_.nodes.erase(write_->node, world_.name, write_->row);
            } else {
                world_.nodes.put(write_->node, world_.name, write_->row, 2);
            }
            written_ = true;
        }

        World<Kind>& world_;
        Trouble trouble_;
        std::optional<Write> write_;
        std::optional<Request> copy_;
        std::size_t receiver_ = 0;
        std::size_t made_ = 0;
        bool written_ = false;
    };

    void play(const Trouble& trouble, const std::optional<Write>& write) {
        ++runs_;
        World<Kind> world(operation_.setup, start_, 1);
        Look<Kind> look(world, operation_);
        try {
            Play play(world, trouble, write);
            operation_.act(world);
            play.finish();
            look.look();
            std::set<std::string> live{"r1", "r2"};
            if (play.written()) {
                write->deletes ? live.erase(write->row) : live.insert(write->row).second;
            }
            world.nodes.clock().advance(Seconds(600));
            for (const std::size_t at : {0U, 1U}) {
                static_cast<void>(world.nodes.pass(at));
            }
            look.look_at_rows(0, live);
            if (operation_.setup.replicas > 1) {
                look.look_at_rows(1, live);
            }
            if (world.nodes.settle() < 0) {
                look.complain("does not come to rest");
            }
            look.look_at_the_end(live);
        } catch (const std::exception& failure) {
            look.complain(std::string("thrown: ") + failure.what());
        }
        for (const std::string& what : look.complaints()) {
            if (complaints_.size() < 20) {
                complaints_.push_back(trouble.text() + ", " + (write ? write->text() : "no write") +
                                      ": " + what);
            }
        }
    }

    Operation<Kind> operation_;
    Moment start_;
    std::size_t requests_ = 0;
    std::uint64_t runs_ = 0;
    std::vector<std::string> complaints_;
};

/// The passes of which a message goes wrong.
template <class Kind>
[[nodiscard]] std::vector<Operation<Kind>> conversations() {
    Operation<Kind> install{.name = "messages of an install",
                            .prepare =
                                [](World<Kind>& world) {
                                    world.nodes.create(0, world.name);
                                    world.nodes.put(0, world.name, "r1");
                                    world.nodes.put(0, world.name, "r2");
                                },
                            .act = pass_of<Kind>(0),
                            .done = succeeded<Kind>("complete_rsync")};
    const auto apart = [](World<Kind>& world) {
        world.nodes.create(0, world.name);
        for (int times = 0; times < 3; ++times) { // as many ROWIDs
            world.nodes.put(0, world.name, "r1");
        }
        world.nodes.create(1, world.name);
        world.nodes.put(1, world.name, "r2");
    };
    Operation<Kind> merge{.name = "messages of a merge",
                          .prepare = apart,
                          .act = pass_of<Kind>(0),
                          .done = succeeded<Kind>("merge_items")};
    Operation<Kind> replace{.name = "messages of a replace",
                            .setup = {.per_diff = 1},
                            .prepare = apart,
                            .act = pass_of<Kind>(0),
                            .done = succeeded<Kind>("rsync_then_merge")};
    Operation<Kind> leave{.name = "messages of a handoff",
                          .setup = {.replicas = 1},
                          .prepare = apart,
                          .act = pass_of<Kind>(1),
                          .done = succeeded<Kind>("merge_items")};
    Operation<Kind> leave_alone{.name = "messages of a handoff without a primary",
                                .setup = {.replicas = 1},
                                .prepare =
                                    [](World<Kind>& world) {
                                        world.nodes.create(1, world.name);
                                        world.nodes.put(1, world.name, "r1");
                                        world.nodes.put(1, world.name, "r2");
                                    },
                                .act = pass_of<Kind>(1),
                                .done = has_no_copy<Kind>(1)};
    return {install, merge, replace, leave, leave_alone};
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_EXHAUSTIVE_MESSAGES_HPP
