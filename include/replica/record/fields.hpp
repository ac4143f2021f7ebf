#ifndef REPLICA_RECORD_FIELDS_HPP
#define REPLICA_RECORD_FIELDS_HPP

// A struct of a host program as the name and the text of a row, and back. The first member is the
// key. The others are the members of a JSON object under their own names. A double is written as
// text, the shortest that gives the same double again, since Boost.JSON 1.81 reads decimal numbers
// with an error in the last bit.
//
// A struct may gain members. A member that a text does not have keeps the default of the struct. A
// member that the struct does not have stays in the text, whoever writes the record. A member must
// not change its type.

#include <replica/error.hpp>
#include <replica/words/json.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/adapt_struct.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/define_struct.hpp>
#include <boost/hana/drop_front.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/front.hpp>
#include <boost/hana/second.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/tuple.hpp>

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace replica {

namespace detail {

template <class M>
inline constexpr bool is_plain_field =
    std::same_as<M, std::string> || std::same_as<M, std::int64_t> || std::same_as<M, double> ||
    std::same_as<M, bool>;

template <class M>
struct OptionalField : std::false_type {};
template <class M>
struct OptionalField<std::optional<M>> : std::bool_constant<is_plain_field<M>> {};

} // namespace detail

/// A type that a column of a record can hold.
template <class M>
concept RecordField = detail::is_plain_field<M> || detail::OptionalField<M>::value;

namespace detail {

/// A member's name as a template argument, so that a compiler prints it.
template <std::size_t Size>
struct MemberName {
    char text[Size] = {};
};

template <char... C>
[[nodiscard]] consteval MemberName<sizeof...(C) + 1> name_of(boost::hana::string<C...> /*key*/) {
    return {{C..., '\0'}};
}

template <MemberName Member, class Type>
struct Column {
    static_assert(RecordField<Type>, "a column of a record holds std::string, std::int64_t, double,"
                                     " bool, or std::optional of one of them");
};

template <MemberName Member, class Type>
struct Key {
    static_assert(std::same_as<Type, std::string>,
                  "the first member of a record is its key, a std::string");
};

template <class T, class Pair>
using TypeOf = std::remove_cvref_t<decltype(boost::hana::second(std::declval<Pair>())(
    std::declval<const T&>()))>;

template <class T, class Pair>
inline constexpr auto name_in =
    name_of(std::remove_cvref_t<decltype(boost::hana::first(std::declval<Pair>()))>{});

/// A struct whose members a record can have, all of them; else a compile error that names one. The
/// members are unpacked by the language and not by Hana's loops: each function that a compiler went
/// through is a line before its first error, and there were fourteen.
template <class T, class Members = std::remove_cvref_t<decltype(boost::hana::accessors<T>())>>
struct Columns {
    static_assert(!std::same_as<Members, boost::hana::tuple<>>, "a record has a key");
    static constexpr bool fit = true;
};

template <class T, class First, class... Rest>
struct Columns<T, boost::hana::tuple<First, Rest...>>
    : Key<name_in<T, First>, TypeOf<T, First>>, Column<name_in<T, Rest>, TypeOf<T, Rest>>... {
    static constexpr bool fit = true;
};

} // namespace detail

/// A struct that Boost.Hana reflects (BOOST_HANA_DEFINE_STRUCT or BOOST_HANA_ADAPT_STRUCT) and that
/// has a default. The two macros come with this header. The first member is a std::string, the key;
/// the others are RecordFields: a struct with another member does not compile, and the error names
/// the member. A compiler quotes the line of what does not hold, with its comment.
template <class T>
concept Record =
    boost::hana::Struct<T>::value && // else: write the struct with BOOST_HANA_DEFINE_STRUCT
    std::copyable<T> && std::default_initializable<T>;

namespace record {

namespace detail {

template <class Key>
[[nodiscard]] constexpr std::string_view text_of(Key key) {
    return boost::hana::to<const char*>(key);
}

/// Calls use(name, accessor) for each member but the key.
template <Record T, class Use>
void each_field(Use use) {
    boost::hana::for_each(boost::hana::drop_front(boost::hana::accessors<T>()), [&](auto pair) {
        use(text_of(boost::hana::first(pair)), boost::hana::second(pair));
    });
}

template <RecordField M>
void append_value(std::string& out, const M& value) {
    if constexpr (std::same_as<M, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (std::same_as<M, double>) {
        std::array<char, 32> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
        out.append("\"").append(digits.data(), end.ptr).append("\"");
    } else if constexpr (replica::detail::OptionalField<M>::value) {
        if (value) {
            append_value(out, *value);
        } else {
            out += "null";
        }
    } else {
        json::append(out, value);
    }
}

/// `what` names the value in the error.
template <RecordField M>
void read_value(const boost::json::value& value, M& into, const std::string& what) {
    if constexpr (std::same_as<M, bool>) {
        if (!value.is_bool()) {
            throw Failure(Error::bad_request, what + " must be true or false");
        }
        into = value.get_bool();
    } else if constexpr (std::same_as<M, double>) {
        std::string text;
        json::read(value, text, what);
        const auto read = std::from_chars(text.data(), text.data() + text.size(), into);
        if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) {
            throw Failure(Error::bad_request, what + " must be a number as text");
        }
    } else if constexpr (replica::detail::OptionalField<M>::value) {
        into.reset();
        if (!value.is_null()) {
            read_value(value, into.emplace(), what);
        }
    } else {
        json::read(value, into, what);
    }
}

inline void append_next(std::string& out, std::string_view name) {
    out += out.size() == 1 ? "" : ", ";
    json::append(out, name);
    out += ": ";
}

/// A member that the struct does not have.
inline void append_unknown(std::string& out, const boost::json::value& value) {
    if (value.is_string()) {
        json::append(out, std::string_view(value.get_string()));
    } else if (value.is_int64()) {
        json::append(out, value.get_int64());
    } else if (value.is_bool()) {
        append_value(out, value.get_bool());
    } else {
        out += "null";
    }
}

} // namespace detail

/// The name of the record's row.
template <Record T>
[[nodiscard]] const std::string& key_of(const T& record) {
    static_assert(replica::detail::Columns<T>::fit);
    return boost::hana::second(boost::hana::front(boost::hana::accessors<T>()))(record);
}

/// The text of the record's row. `held`, the text that it takes the place of, gives the members
/// that T does not have; empty: none. Throws bad_request for text that is not UTF-8, and for a
/// `held` that is no record.
template <Record T>
[[nodiscard]] std::string to_text(const T& record, std::string_view held = {}) {
    static_assert(replica::detail::Columns<T>::fit);
    std::string out = "{";
    boost::json::value former = held.empty() ? boost::json::object() : json::parse(held);
    auto* const unknown = former.if_object();
    if (unknown == nullptr) {
        throw Failure(Error::bad_request, "a record is a JSON object");
    }
    detail::each_field<T>([&](std::string_view name, auto member) {
        unknown->stable_erase(name);
        detail::append_next(out, name);
        detail::append_value(out, member(record));
    });
    for (const auto& [name, value] : *unknown) {
        detail::append_next(out, name);
        detail::append_unknown(out, value);
    }
    return out + '}';
}

/// The record of a row. Throws bad_request that names key and member if a value has another type
/// than T's member.
template <Record T>
[[nodiscard]] T from_text(const std::string& key, std::string_view text) {
    static_assert(replica::detail::Columns<T>::fit);
    T record{};
    boost::hana::second(boost::hana::front(boost::hana::accessors<T>()))(record) = key;
    const boost::json::value value = json::parse(text);
    const auto* const object = value.if_object();
    if (object == nullptr) {
        throw Failure(Error::bad_request, "record '" + key + "' is no JSON object");
    }
    detail::each_field<T>([&](std::string_view name, auto member) {
        if (const auto* const held = object->if_contains(name)) {
            const std::string what = "record '" + key + "': its " + std::string(name);
            detail::read_value(*held, member(record), what);
        }
    });
    return record;
}

} // namespace record
} // namespace replica

#endif // REPLICA_RECORD_FIELDS_HPP
