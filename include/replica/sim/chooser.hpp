#ifndef REPLICA_SIM_CHOOSER_HPP
#define REPLICA_SIM_CHOOSER_HPP

// Who decides what a power cut leaves. Long histories let chance decide (SimChance). A short
// operation can be cut in every way there is: SimOdometer makes the same decisions again and again,
// each time with another result, until none is left.

#include <replica/words/random.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

namespace replica {

/// Decides, one question at a time. Of the answers 0 to n - 1 the first is what was synced last,
/// and the last is what there was at the cut.
template <class C>
concept SimChooser = requires(C chooser, std::size_t n) {
    /// One of n answers, n > 0.
    { chooser.choose(n) } -> std::same_as<std::size_t>;
    /// Whether all of a group of questions have the first answer (false) or the last (true).
    /// Nothing: each is asked on its own.
    { chooser.all() } -> std::same_as<std::optional<bool>>;
    /// Whether a sector is torn, if it may be.
    { chooser.tears() } -> std::same_as<bool>;
};

/// Chance. One group in five is lost and one is kept, since a mixture of many would hardly ever be
/// either.
class SimChance {
public:
    explicit SimChance(Random& random) : random_(&random) {}

    [[nodiscard]] std::size_t choose(std::size_t n) { return random_->next() % n; }

    [[nodiscard]] std::optional<bool> all() {
        const std::size_t drawn = random_->next() % 5;
        return drawn > 1 ? std::nullopt : std::optional(drawn == 1);
    }

    [[nodiscard]] bool tears() { return random_->next() % 4 == 0; }

private:
    Random* random_;
};

static_assert(SimChooser<SimChance>);

/// Every way to decide, one after the other. What is asked may depend on the answers so far. Tears
/// no sector: a torn one would have 511 states more.
///
///     SimOdometer odometer;
///     do {
///         use(decide(odometer));
///     } while (odometer.next());
class SimOdometer {
public:
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    /// The usual answer is the first, or with `keeps` the last. At most `deviations` answers of one
    /// way are others.
    explicit SimOdometer(std::size_t deviations = unlimited, bool keeps = false)
        : limit_(deviations), keeps_(keeps) {}

    [[nodiscard]] std::size_t choose(std::size_t n) {
        if (at_ == digits_.size()) {
            digits_.push_back({0, n});
        }
        const Digit& digit = digits_[at_++];
        if (!keeps_) {
            return digit.turn;
        }
        return digit.turn == 0 ? n - 1 : digit.turn - 1;
    }

    [[nodiscard]] std::optional<bool> all() const { return std::nullopt; }
    [[nodiscard]] bool tears() const { return false; }

    /// Turns to the next way. False after the last.
    [[nodiscard]] bool next() {
        at_ = 0;
        while (!digits_.empty()) {
            Digit& last = digits_.back();
            const bool deviates = last.turn > 0;
            if (last.turn + 1 < last.n && (deviates || deviations_ < limit_)) {
                deviations_ += deviates ? 0 : 1;
                ++last.turn;
                return true;
            }
            deviations_ -= deviates ? 1 : 0;
            digits_.pop_back();
        }
        return false;
    }

private:
    struct Digit {
        std::size_t turn; // 0: the usual answer
        std::size_t n;
    };

    std::size_t limit_;
    bool keeps_;
    std::size_t at_ = 0;
    std::size_t deviations_ = 0;
    std::vector<Digit> digits_;
};

static_assert(SimChooser<SimOdometer>);

} // namespace replica

#endif // REPLICA_SIM_CHOOSER_HPP
