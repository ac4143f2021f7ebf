#ifndef REPLICA_RECORD_KIND_HPP
#define REPLICA_RECORD_KIND_HPP

// The kind that a host program's struct makes: a name for logs and a directory on the devices, both
// from the name of the struct. Records do nothing in any hook.

#include <replica/kind.hpp>
#include <replica/record/fields.hpp>
#include <replica/record/row.hpp>

#include <boost/type_index/ctti_type_index.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace replica {

namespace detail {

/// The last word of a type's name, in lower case: "app::Note" -> "note".
template <class T>
[[nodiscard]] consteval auto lower_name() {
    constexpr std::string_view raw(boost::typeindex::ctti_type_index::type_id<T>().raw_name());
    constexpr std::string_view text = raw.substr(0, raw.find_first_of("];")); // of a signature
    constexpr std::string_view last = text.substr(text.rfind(':') + 1);
    std::array<char, last.size() + 1> lower{}; // one for the plural
    std::ranges::transform(last, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    lower.back() = 's';
    return lower;
}

template <class T>
inline constexpr auto lower_names = lower_name<T>();

/// Whether a text may name a directory, on every file system.
[[nodiscard]] constexpr bool is_word(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

} // namespace detail

/// The name of the kind: "note" for a struct Note. A program whose struct gets another name, or
/// whose struct is a template, writes down the name, since it is on the disks:
///
///   template <> inline constexpr std::string_view replica::record_name<Memo> = "note";
template <class T>
inline constexpr std::string_view record_name{detail::lower_names<T>.data(),
                                              detail::lower_names<T>.size() - 1};

/// The directory on a device: "notes" for a struct Note.
template <class T>
inline constexpr std::string_view record_datadir{detail::lower_names<T>.data(),
                                                 detail::lower_names<T>.size()};

/// Models Kind. The laws of Kind hold, since nothing is done in any hook (PlainKind).
template <Record T>
struct RecordKind : PlainKind<RecordInfo, RecordRow> {
    static constexpr std::string_view name = record_name<T>;
    static constexpr std::string_view datadir = record_datadir<T>;
    static constexpr std::uint16_t default_port = 6209;

    static_assert(detail::Columns<T>::fit);
    static_assert(detail::is_word(name) && detail::is_word(datadir),
                  "specialise record_name and record_datadir: they become names of directories");
};

} // namespace replica

#endif // REPLICA_RECORD_KIND_HPP
