#ifndef REPLICA_SEND_LEDGERS_HPP
#define REPLICA_SEND_LEDGERS_HPP

// The ledgers of all devices of a machine, and their form in a file.

#include <replica/ring.hpp>
#include <replica/send/ledger.hpp>
#include <replica/words/bytes.hpp>
#include <replica/words/md5.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace replica {

/// A ledger for each device of this machine. Thread safety: any thread.
class Ledgers {
public:
    /// Calls `use` with the ledger of the device with this name, and returns what it returns.
    template <std::invocable<Ledger&> Use>
    std::invoke_result_t<Use, Ledger&> with(const std::string& device, Use use) {
        Owned& owned = owned_by(device);
        const std::lock_guard guard(owned.mutex);
        return use(owned.ledger);
    }

    /// Ledger::distrust in all ledgers.
    void distrust(const Device& peer) {
        for_each([&](Ledger& ledger) { ledger.distrust(peer.id); });
    }

    /// Ledger::miss in all ledgers.
    void miss() {
        for_each([](Ledger& ledger) { ledger.miss(); });
    }

    /// All ledgers, for read() by the same program on the same machine.
    [[nodiscard]] std::string text() const {
        std::string text;
        const std::lock_guard guard(mutex_);
        words::append_bytes(text, form);
        words::append_bytes(text, ledgers_.size());
        for (const auto& [device, owned] : ledgers_) {
            words::append_bytes(text, device.size());
            text += device;
            const std::lock_guard one(owned.mutex);
            owned.ledger.append_to(text);
        }
        const Md5Digest digest = md5(text);
        words::append_bytes(text, digest);
        return text;
    }

    /// Takes over what text() has written. False, and nothing changes, for any other text.
    [[nodiscard]] bool read(std::string_view text) {
        constexpr std::size_t tail = sizeof(Md5Digest);
        if (text.size() < tail) {
            return false;
        }
        std::string_view digest = text.substr(text.size() - tail);
        text.remove_suffix(tail);
        if (words::take_bytes<Md5Digest>(digest) != md5(text) || text.size() < sizeof form ||
            words::take_bytes<std::uint64_t>(text) != form) {
            return false;
        }
        std::map<std::string, Ledger> ledgers;
        try {
            for (auto left = words::take_bytes<std::size_t>(text); left > 0; --left) {
                const auto size = words::take_bytes<std::size_t>(text);
                const std::string device(text.substr(0, size));
                text.remove_prefix(device.size());
                ledgers[device] = Ledger::read(text);
            }
        } catch (const std::out_of_range&) {
            return false;
        }
        if (!text.empty()) {
            return false;
        }
        clear();
        for (auto& [device, ledger] : ledgers) {
            with(device, [&](Ledger& own) { own = std::move(ledger); });
        }
        return true;
    }

    /// The clock cannot be believed: nothing is remembered.
    void clear() {
        for_each([](Ledger& ledger) { ledger.clear(); });
    }

private:
    /// Changes with the form of the text. The bytes of a machine of the other order differ.
    static constexpr std::uint64_t form = 0x7265706c67723032; // "replgr02"

    /// To look through a large ledger takes a second, in which other devices are not kept waiting.
    struct Owned {
        mutable std::mutex mutex{};
        Ledger ledger{};
    };

    [[nodiscard]] Owned& owned_by(const std::string& device) {
        const std::lock_guard guard(mutex_);
        return ledgers_[device]; // stays where it is
    }

    template <std::invocable<Ledger&> Use>
    void for_each(Use use) {
        const std::lock_guard guard(mutex_);
        for (auto& [device, owned] : ledgers_) {
            const std::lock_guard one(owned.mutex);
            use(owned.ledger);
        }
    }

    mutable std::mutex mutex_; ///< Of the map.
    std::map<std::string, Owned> ledgers_;
};

} // namespace replica

#endif // REPLICA_SEND_LEDGERS_HPP
