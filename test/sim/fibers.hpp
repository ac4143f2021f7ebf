#ifndef REPLICA_TEST_SIM_FIBERS_HPP
#define REPLICA_TEST_SIM_FIBERS_HPP

// Everybody who acts in a simulated world, each on a fiber of one thread. The world calls point()
// at every call of a disk, a clock or a network: there chance decides who goes on. So any two
// actors meet at any two calls, and the same seed gives the same meetings again.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/sim/clock.hpp>
#include <replica/words/random.hpp>

#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>

#include <cxxabi.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::test {

/// A program of the simulated world. Its fibers end with it.
struct Life {
    std::string name;
    bool ended = false;
};

/// The fibers of one world. Must outlive whatever they use only up to end_all().
class Fibers {
public:
    using Owner = std::shared_ptr<Life>;

    /// Each call takes `call` of virtual time, and after about `patience` calls another fiber may
    /// go on.
    Fibers(SimClock clock, std::uint64_t seed, Seconds call, std::uint64_t patience)
        : clock_(std::move(clock)), random_(seed), call_(call), patience_(patience),
          stacks_(stack_bytes) {
        clock_.on_wait([this](Instant until, const std::stop_token& stop) {
            return moving_ || current_ == nullptr ? std::nullopt
                                                  : std::optional(sleep(until, nullptr, &stop));
        });
    }

    Fibers(const Fibers&) = delete;
    Fibers& operator=(const Fibers&) = delete;
    ~Fibers() {
        end_all();
        clock_.on_wait(nullptr);
    }

    void spawn(Owner owner, std::function<void()> body) {
        auto made = std::make_unique<Fiber>();
        Fiber& fiber = *made;
        fiber.owner = std::move(owner);
        fiber.context = Context(std::allocator_arg, stacks_,
                                [this, &fiber, body = std::move(body)](Context&& caller) {
                                    fiber.context = std::move(caller);
                                    try {
                                        body();
                                    } catch (const Failure& failure) {
                                        if (!fiber.owner->ended) {
                                            error_ = std::current_exception();
                                        }
                                    } catch (const boost::context::detail::forced_unwind&) {
                                        throw;
                                    } catch (...) {
                                        error_ = std::current_exception();
                                    }
                                    fiber.done = true;
                                    return std::move(fiber.context);
                                });
        fibers_.push_back(std::move(made));
    }

    /// A call of the running fiber, named by `what`. Throws Failure if its program has ended.
    /// Without `may_switch` it goes on.
    void point(std::string_view what, bool may_switch = true) {
        if (current_ == nullptr) {
            return;
        }
        require_alive();
        ++steps_;
        mix(what);
        if (call_ > Seconds(0)) {
            move_to(clock_.monotonic() + to_duration(call_));
        }
        if (may_switch && !alone_ && (left_ == 0 || --left_ == 0)) {
            left_ = 1 + random_.next() % (2 * patience_);
            yield();
            require_alive();
        }
    }

    /// The next call is one after which another fiber may go on.
    void hurry() { left_ = 1; }

    /// Nobody else goes on while `task` runs.
    template <std::invocable Task>
    void alone(Task task) {
        const struct Alone {
            bool& alone;
            bool before = std::exchange(alone, true);
            ~Alone() { alone = before; }
        } scope{alone_};
        task();
    }

    /// Waits until `flag` or `until`; whether it was the flag.
    bool await(const bool& flag, Instant until) {
        sleep(until, &flag, nullptr);
        return flag;
    }

    /// Ends a program at once: each of its fibers goes on to its end, and all calls fail. One that
    /// is running finds out at its next call.
    void end(const Owner& owner) {
        owner->ended = true;
        for (std::size_t at = 0; at < fibers_.size(); ++at) { // the ending may spawn others
            Fiber& fiber = *fibers_[at];
            while (fiber.owner == owner && !fiber.done && &fiber != current_) {
                resume(fiber);
            }
        }
    }

    /// Runs whoever is ready, until `done` or nobody is left. Throws what a fiber has thrown, and
    /// std::runtime_error after `most` calls.
    template <std::predicate Done>
    void run(Done done, std::uint64_t most = 20'000'000) {
        const std::uint64_t end = steps_ + most;
        while (!error_ && !done()) {
            if (steps_ > end) {
                throw std::runtime_error("does not end");
            }
            std::erase_if(fibers_, [](const auto& fiber) { return fiber->done; });
            if (fibers_.empty()) {
                return;
            }
            const std::vector<Fiber*> ready = this->ready();
            if (ready.empty()) {
                wait_for_the_first();
            } else {
                resume(*ready[random_.next() % ready.size()]);
            }
        }
        if (error_) {
            std::rethrow_exception(std::exchange(error_, nullptr));
        }
    }

    /// The run ends with this, whatever the running fiber catches.
    template <class Exception>
    void fail(Exception exception) {
        error_ = error_ ? error_ : std::make_exception_ptr(std::move(exception));
    }

    /// The program that is running; null outside of all.
    [[nodiscard]] const Life* running() const {
        return current_ != nullptr ? current_->owner.get() : nullptr;
    }

    [[nodiscard]] std::uint64_t steps() const { return steps_; }

    /// Equal for equal runs.
    [[nodiscard]] std::uint64_t digest() const { return digest_; }

    void end_all() {
        for (std::size_t at = 0; at < fibers_.size(); ++at) {
            end(fibers_[at]->owner);
        }
        fibers_.clear();
    }

private:
    using Context = boost::context::fiber;

    struct Fiber {
        Context context; // of the fiber while it waits, of who resumed it while it runs
        Owner owner;
        Instant wake{};
        const bool* flag = nullptr;
        const std::stop_token* stop = nullptr;
        bool done = false;
    };

    /// What a thread knows of exceptions that are being handled: each fiber has its own.
    struct Handling {
        void* caught = nullptr;
        unsigned uncaught = 0;

        [[nodiscard]] static Handling& now() {
            return *reinterpret_cast<Handling*>(abi::__cxa_get_globals());
        }
    };

    static constexpr std::size_t stack_bytes = 512 << 10;

    void require_alive() const {
        if (current_ != nullptr && current_->owner->ended) {
            throw Failure(Error::io, current_->owner->name + ": its process has ended");
        }
    }

    /// Whether time or the flag ended the wait, not a stop or the end of the program.
    bool sleep(Instant until, const bool* flag, const std::stop_token* stop) {
        Fiber& fiber = *current_;
        const auto stopped = [&] {
            return fiber.owner->ended || (stop != nullptr && stop->stop_requested());
        };
        if (stopped()) {
            return false;
        }
        ++steps_;
        mix("sleep");
        fiber.wake = until;
        fiber.flag = flag;
        fiber.stop = stop;
        yield();
        fiber.wake = {};
        fiber.flag = nullptr;
        fiber.stop = nullptr;
        return !stopped();
    }

    void yield() {
        Fiber& fiber = *current_;
        const Handling mine = std::exchange(Handling::now(), Handling{});
        fiber.context = std::move(fiber.context).resume();
        Handling::now() = mine;
    }

    void resume(Fiber& fiber) {
        Fiber* const before = std::exchange(current_, &fiber);
        const Handling mine = std::exchange(Handling::now(), Handling{});
        fiber.context = std::move(fiber.context).resume();
        Handling::now() = mine;
        current_ = before;
    }

    [[nodiscard]] std::vector<Fiber*> ready() const {
        const Instant now = clock_.monotonic();
        std::vector<Fiber*> ready;
        for (const auto& fiber : fibers_) {
            const bool woken = fiber->wake <= now || fiber->owner->ended ||
                               (fiber->flag != nullptr && *fiber->flag) ||
                               (fiber->stop != nullptr && fiber->stop->stop_requested());
            if (woken) {
                ready.push_back(fiber.get());
            }
        }
        return ready;
    }

    void wait_for_the_first() {
        const auto first =
            std::ranges::min_element(fibers_, {}, [](const auto& fiber) { return fiber->wake; });
        move_to((*first)->wake);
    }

    void move_to(Instant moment) {
        moving_ = true;
        clock_.sleep_until(moment, {});
        moving_ = false;
    }

    void mix(std::string_view what) {
        digest_ = (digest_ ^ std::hash<std::string_view>()(what)) * 0x9e3779b97f4a7c15U;
        digest_ ^= digest_ >> 29;
    }

    SimClock clock_;
    Random random_;
    Seconds call_;
    std::uint64_t patience_;
    boost::context::pooled_fixedsize_stack stacks_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    Fiber* current_ = nullptr;
    std::exception_ptr error_;
    std::uint64_t steps_ = 0;
    std::uint64_t left_ = 0;
    std::uint64_t digest_ = 0;
    bool moving_ = false;
    bool alone_ = false;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_FIBERS_HPP
