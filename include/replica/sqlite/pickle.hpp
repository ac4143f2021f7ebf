#ifndef REPLICA_SQLITE_PICKLE_HPP
#define REPLICA_SQLITE_PICKLE_HPP

// Stock servers write the rows of a .pending file as Python pickles, which are programs for a stack
// machine. This reader knows only the operations that a flat tuple of numbers and texts needs, and
// refuses calls, imports and nesting. Texts are views of the input, so repeating a long one through
// the memo is free: memory and time are linear in the size of the input.

#include <replica/error.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace replica::sqlite {

/// None, a bool, an integer, a float, or a text. Byte strings of Python 2 are texts too. Swift
/// writes UTF-8; the caller must check.
using PickleValue = std::variant<std::monostate, bool, std::int64_t, double, std::string_view>;

/// A tuple or list of such values.
using PickleRecord = std::vector<PickleValue>;

namespace detail {

class PickleReader {
public:
    explicit PickleReader(std::string_view text) : text_(text) {}

    [[nodiscard]] PickleRecord run() {
        for (;;) {
            const std::uint8_t operation = byte();
            if (operation == '.') {
                break;
            }
            if (!push_scalar(operation) && !push_text(operation) && !gather(operation) &&
                !remember(operation) && !skip(operation)) {
                refuse("operation " + std::to_string(operation) + " is not allowed");
            }
        }
        auto* const record =
            stack_.size() == 1 ? std::get_if<PickleRecord>(stack_.data()) : nullptr;
        if (record == nullptr || at_ != text_.size()) {
            refuse("is not one tuple");
        }
        return std::move(*record);
    }

private:
    struct Mark {};
    using Item = std::variant<Mark, PickleValue, PickleRecord>;

    [[noreturn]] void refuse(const std::string& reason) const {
        throw Failure(Error::bad_request,
                      "pickle: " + reason + " (before byte " + std::to_string(at_) + ")");
    }

    // ---- Bytes.

    std::string_view take(std::uint64_t count) {
        if (count > text_.size() - at_) {
            refuse("ends too early");
        }
        at_ += static_cast<std::size_t>(count);
        return text_.substr(at_ - static_cast<std::size_t>(count), static_cast<std::size_t>(count));
    }

    std::uint8_t byte() { return static_cast<std::uint8_t>(take(1).front()); }

    /// Little-endian, unsigned; up to 8 bytes.
    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        unsigned shift = 0;
        for (const char c : take(bytes)) {
            value |= std::uint64_t{static_cast<std::uint8_t>(c)} << shift;
            shift += 8;
        }
        return value;
    }

    /// Little-endian two's complement; more than 8 bytes are refused.
    std::int64_t signed_number(std::size_t bytes) {
        if (bytes > 8) {
            refuse("has a number of more than 64 bits");
        }
        std::uint64_t value = number(bytes);
        if (bytes > 0 && bytes < 8 && (value >> (8 * bytes - 1)) != 0) {
            value |= ~std::uint64_t{0} << (8 * bytes);
        }
        return static_cast<std::int64_t>(value);
    }

    /// Big-endian, unlike everything else.
    double real() {
        std::uint64_t bits = 0;
        for (const char c : take(8)) {
            bits = bits << 8 | static_cast<std::uint8_t>(c);
        }
        return std::bit_cast<double>(bits);
    }

    // ---- Operations. Each returns false if `operation` is not of its group.

    bool push(PickleValue value) {
        stack_.emplace_back(value);
        return true;
    }

    bool push_scalar(std::uint8_t operation) {
        switch (operation) {
        case 'N':
            return push(std::monostate());
        case 0x88:
        case 0x89:
            return push(operation == 0x88);
        case 'J':
            return push(signed_number(4));
        case 'K':
            return push(static_cast<std::int64_t>(number(1)));
        case 'M':
            return push(static_cast<std::int64_t>(number(2)));
        case 0x8a:
            return push(signed_number(byte()));
        case 'G':
            return push(real());
        default:
            return false;
        }
    }

    bool push_text(std::uint8_t operation) {
        switch (operation) {
        case 'X': // BINUNICODE
        case 'T': // BINSTRING; a negative length is longer than any input
        case 'B': // BINBYTES
            return push(take(number(4)));
        case 0x8c: // SHORT_BINUNICODE
        case 'U':  // SHORT_BINSTRING
        case 'C':  // SHORT_BINBYTES
            return push(take(number(1)));
        default:
            return false;
        }
    }

    bool gather(std::uint8_t operation) {
        switch (operation) {
        case '(':
            stack_.emplace_back(Mark());
            return true;
        case ')':
        case ']':
            stack_.emplace_back(PickleRecord());
            return true;
        case 't':
            return tuple(above_mark(), 1);
        case 0x85:
        case 0x86:
        case 0x87:
            return tuple(static_cast<std::size_t>(operation - 0x84), 0);
        case 'a':
            return append(1, 0);
        case 'e':
            return append(above_mark(), 1);
        default:
            return false;
        }
    }

    /// The number of values above the last mark.
    std::size_t above_mark() const {
        std::size_t count = 0;
        while (count < stack_.size() &&
               !std::holds_alternative<Mark>(stack_[stack_.size() - 1 - count])) {
            ++count;
        }
        if (count == stack_.size()) {
            refuse("ends a tuple that was not begun");
        }
        return count;
    }

    /// Takes `count` values, and the `marks` marks below them, from the stack.
    PickleRecord pop(std::size_t count, std::size_t marks) {
        if (count + marks > stack_.size()) {
            refuse("takes more than there is");
        }
        PickleRecord values;
        values.reserve(count);
        for (std::size_t at = stack_.size() - count; at < stack_.size(); ++at) {
            const auto* const value = std::get_if<PickleValue>(&stack_[at]);
            if (value == nullptr) {
                refuse("is nested");
            }
            values.push_back(*value);
        }
        stack_.resize(stack_.size() - count - marks);
        return values;
    }

    bool tuple(std::size_t count, std::size_t marks) {
        PickleRecord values = pop(count, marks);
        stack_.emplace_back(std::move(values));
        return true;
    }

    bool append(std::size_t count, std::size_t marks) {
        const PickleRecord values = pop(count, marks);
        auto* const list = stack_.empty() ? nullptr : std::get_if<PickleRecord>(&stack_.back());
        if (list == nullptr) {
            refuse("appends to what is no list");
        }
        list->insert(list->end(), values.begin(), values.end());
        return true;
    }

    bool remember(std::uint8_t operation) {
        switch (operation) {
        case 'q':
            return put(number(1));
        case 'r':
            return put(number(4));
        case 0x94:
            return put(memo_.size());
        case 'h':
            return get(number(1));
        case 'j':
            return get(number(4));
        default:
            return false;
        }
    }

    /// A tuple can be remembered, but not recalled: it could only become part of another tuple.
    bool put(std::uint64_t index) {
        if (stack_.empty() || std::holds_alternative<Mark>(stack_.back())) {
            refuse("remembers what is not there");
        }
        memo_.insert_or_assign(index, std::holds_alternative<PickleValue>(stack_.back())
                                          ? stack_.back()
                                          : Item(Mark()));
        return true;
    }

    bool get(std::uint64_t index) {
        const auto found = memo_.find(index);
        if (found == memo_.end() || !std::holds_alternative<PickleValue>(found->second)) {
            refuse("recalls what was not remembered");
        }
        stack_.push_back(found->second);
        return true;
    }

    bool skip(std::uint8_t operation) {
        if (operation == 0x80) {
            const std::uint8_t protocol = byte();
            if (protocol < 2 || protocol > 5) {
                refuse("has protocol " + std::to_string(protocol));
            }
            return true;
        }
        if (operation == 0x95) { // FRAME: a length that only helps to read ahead
            number(8);
            return true;
        }
        return false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<Item> stack_;
    std::map<std::uint64_t, Item> memo_;
};

} // namespace detail

/// Reads a pickle of protocol 2 (Swift's) to 5 that is one flat tuple or list. The texts in the
/// result are views of `text`. Throws bad_request for anything else.
[[nodiscard]] inline PickleRecord read_pickle(std::string_view text) {
    return detail::PickleReader(text).run();
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_PICKLE_HPP
