#ifndef REPLICA_TEST_SUPPORT_NOTES_HPP
#define REPLICA_TEST_SUPPORT_NOTES_HPP

// Records of a host program, as it was at first and as it is today.

#include <replica/sqlite/record.hpp>

#include <boost/hana/define_struct.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace replica::test {

struct Note {
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));

    friend bool operator==(const Note&, const Note&) = default;
};

/// Everything that a column can hold.
struct Full {
    BOOST_HANA_DEFINE_STRUCT(Full, (std::string, key), (std::string, text), (std::int64_t, number),
                             (double, share), (bool, is_open), (std::optional<std::string>, name),
                             (std::optional<std::int64_t>, count), (std::optional<double>, ratio),
                             (std::optional<bool>, answer));

    friend bool operator==(const Full&, const Full&) = default;
};

/// A note of a later program: two members more, of which one has a default.
struct LaterNote {
    std::string id;
    std::string text;
    std::int64_t stars = 0;
    std::string color = "white";
    std::optional<double> weight;

    friend bool operator==(const LaterNote&, const LaterNote&) = default;
};

} // namespace replica::test

BOOST_HANA_ADAPT_STRUCT(replica::test::LaterNote, id, text, stars, color, weight);

/// Both programs have the same files.
template <>
inline constexpr std::string_view replica::record_name<replica::test::LaterNote> = "note";
template <>
inline constexpr std::string_view replica::record_datadir<replica::test::LaterNote> = "notes";

#endif // REPLICA_TEST_SUPPORT_NOTES_HPP
