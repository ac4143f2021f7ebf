// Lets the facts of a service forget devices and peers that have left the ring. To look at a ring
// is to look at its file, and a disk may hang: so a pass does it, which needs the ring anyhow, and
// never who asks for a page.
#ifndef REPLICA_DAEMON_FORGETTING_HPP
#define REPLICA_DAEMON_FORGETTING_HPP

#include <replica/daemon/facts.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace replica::daemon {

/// Tells another observer everything. When a pass begins, Facts keep only what the ring has then.
/// If the ring cannot be read, they keep all. Copies share the ring. Thread safety: any thread; of
/// the events that are shared by several threads none looks at the ring.
template <Observer O, Ring R>
class ForgettingObserver {
public:
    ForgettingObserver(O observer, Facts facts, R ring)
        : observer_(std::move(observer)), facts_(std::move(facts)),
          ring_(std::make_shared<R>(std::move(ring))) {}

    template <class Event>
    void operator()(const Event& event) const {
        if constexpr (std::is_same_v<Event, event::PassBegan>) {
            forget();
        }
        observer_(event);
    }

private:
    void forget() const {
        try {
            facts_.keep_only(ring_->version());
        } catch (const Failure&) { // the pass tells why
        }
    }

    O observer_;
    Facts facts_;
    std::shared_ptr<R> ring_;
};

} // namespace replica::daemon

#endif
