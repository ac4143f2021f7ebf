#include <replica/record/fields.hpp>

#define BOOST_TEST_MODULE record_fields
#include <boost/test/unit_test.hpp>

#include <support/notes.hpp>

#include <cmath>
#include <limits>
#include <string>

using namespace replica;
using namespace replica::test;

static_assert(Record<Note> && Record<Full> && Record<LaterNote>);

namespace {

struct Unknown {}; // not reflected
static_assert(!Record<Unknown> && !Record<int> && !Record<std::string>);

struct NoDefault {
    explicit NoDefault(int /*number*/) {}
    BOOST_HANA_DEFINE_STRUCT(NoDefault, (std::string, id));
};
static_assert(!Record<NoDefault>);

static_assert(RecordField<std::string> && RecordField<std::int64_t> && RecordField<double> &&
              RecordField<bool> && RecordField<std::optional<std::string>>);
static_assert(!RecordField<float> && !RecordField<int> && !RecordField<const char*> &&
              !RecordField<std::optional<int>> && !RecordField<std::uint64_t> &&
              !RecordField<std::optional<std::optional<bool>>>);

template <Record T>
[[nodiscard]] std::string refusal(const std::string& text) {
    try {
        (void)record::from_text<T>("k", text);
        return {};
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == Error::bad_request));
        return failure.what();
    }
}

Full full() {
    return {"k",  "\"\\\n\xc3\xa4", std::numeric_limits<std::int64_t>::min(), 0.1, true, "", 0, 2.5,
            false};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_record_comes_back_as_it_was_written) {
    BOOST_TEST(record::key_of(full()) == "k");
    BOOST_TEST((record::from_text<Full>("k", record::to_text(full())) == full()));
    const Full bare{"k", {}, {}, {}, {}, {}, {}, {}, {}};
    BOOST_TEST((record::from_text<Full>("k", record::to_text(bare)) == bare));
    BOOST_TEST(record::to_text(Note{"n", "buy milk", 3}) == R"({"text": "buy milk", "stars": 3})");
    BOOST_TEST(record::to_text(bare) ==
               R"({"text": "", "number": 0, "share": "0", "is_open": false, "name": null, )"
               R"("count": null, "ratio": null, "answer": null})");
}

BOOST_AUTO_TEST_CASE(every_double_comes_back_to_the_last_bit) {
    Full record = full();
    for (double value = 0.1; value < 1e300; value *= 3.000000000000007) {
        record.share = value;
        record.ratio = -1 / value;
        const Full read = record::from_text<Full>("k", record::to_text(record));
        BOOST_REQUIRE((read.share == value && read.ratio == record.ratio));
    }
    using Limits = std::numeric_limits<double>;
    for (const double value :
         {0.0, Limits::denorm_min(), Limits::max(), Limits::lowest(), Limits::infinity()}) {
        record.share = value;
        BOOST_TEST(record::from_text<Full>("k", record::to_text(record)).share == value);
    }
    record.share = Limits::quiet_NaN();
    BOOST_TEST(std::isnan(record::from_text<Full>("k", record::to_text(record)).share));
}

BOOST_AUTO_TEST_CASE(a_member_that_an_older_program_did_not_write_has_its_default) {
    const std::string text = record::to_text(Note{"n", "buy milk", 3});
    const LaterNote read = record::from_text<LaterNote>("n", text);
    BOOST_TEST((read == LaterNote{"n", "buy milk", 3, "white", std::nullopt}));
}

BOOST_AUTO_TEST_CASE(an_older_program_keeps_members_that_it_does_not_know) {
    const std::string later = record::to_text(LaterNote{"n", "buy milk", 3, "red", 0.1});
    BOOST_TEST((record::from_text<Note>("n", later) == Note{"n", "buy milk", 3}));
    const std::string again = record::to_text(Note{"n", "buy bread", 4}, later);
    BOOST_TEST(
        (record::from_text<LaterNote>("n", again) == LaterNote{"n", "buy bread", 4, "red", 0.1}));
    // Whatever a later program may have written.
    const std::string kept = R"({"stars": 1, "a": "\u00e4", "b": -7, "c": true, "d": null})";
    BOOST_TEST(record::to_text(Note{"n", "", 2}, kept) ==
               R"({"text": "", "stars": 2, "a": "\u00e4", "b": -7, "c": true, "d": null})");
}

BOOST_AUTO_TEST_CASE(a_record_of_a_key_alone_is_an_empty_object) {
    struct Word {
        BOOST_HANA_DEFINE_STRUCT(Word, (std::string, word));
    };
    BOOST_TEST(record::to_text(Word{"w"}) == "{}");
    BOOST_TEST(record::from_text<Word>("w", R"({"more": 1})").word == "w");
    BOOST_TEST(record::to_text(Word{"w"}, R"({"more": 1})") == R"({"more": 1})");
}

BOOST_AUTO_TEST_CASE(a_value_of_another_type_is_refused_by_key_and_member) {
    BOOST_TEST(refusal<Note>(R"({"text": 1, "stars": 1})")
                   .find("record 'k': its text must be a "
                         "string") != std::string::npos);
    BOOST_TEST(refusal<Note>(R"({"stars": "1"})").find("its stars") != std::string::npos);
    BOOST_TEST(refusal<Full>(R"({"is_open": 1})").find("its is_open must be true or false") !=
               std::string::npos);
    for (const std::string share :
         {"1", "true", "\"\"", "\"x\"", "\"1x\"", "\" 1\"", "\"1e999\""}) {
        BOOST_TEST(refusal<Full>("{\"share\": " + share + '}').find("its share") !=
                   std::string::npos);
    }
    BOOST_TEST(refusal<Full>(R"({"share": null})").find("its share") != std::string::npos);
    BOOST_TEST(refusal<Full>(R"({"ratio": null})").empty());
    BOOST_TEST(!refusal<Note>("[]").empty());
    BOOST_TEST(!refusal<Note>("").empty());
    BOOST_CHECK_THROW((void)record::to_text(Note{}, "[]"), Failure);
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf8_is_refused) {
    BOOST_CHECK_THROW((void)record::to_text(Note{"k", "\xff", 0}), Failure);
}
