#include <replica/record/kind.hpp>

#define BOOST_TEST_MODULE record_kind
#include <boost/hana/define_struct.hpp>
#include <boost/test/unit_test.hpp>

#include <laws/kind.hpp>
#include <support/notes.hpp>

#include <string>
#include <string_view>

using namespace replica;
using namespace replica::test;

namespace {

namespace inner {
struct ToDo_2 {
    BOOST_HANA_DEFINE_STRUCT(ToDo_2, (std::string, id));
};
} // namespace inner

static_assert(Kind<RecordKind<Note>> && Kind<RecordKind<inner::ToDo_2>>);
static_assert(!ShardedKind<RecordKind<Note>>);

} // namespace

BOOST_AUTO_TEST_CASE(a_kind_of_records_obeys_the_laws) {
    RecordInfo info("notes");
    info.count = 3;
    obeys_the_laws_of_a_kind<RecordKind<Note>>({RecordInfo(), info});
}

BOOST_AUTO_TEST_CASE(a_struct_gives_its_kind_a_name_and_a_directory) {
    BOOST_TEST(RecordKind<Note>::name == "note");
    BOOST_TEST(RecordKind<Note>::datadir == "notes");
    BOOST_TEST(RecordKind<inner::ToDo_2>::name == "todo_2");
    BOOST_TEST(RecordKind<inner::ToDo_2>::datadir == "todo_2s");
}

BOOST_AUTO_TEST_CASE(a_struct_with_another_name_keeps_the_directory_that_is_written_down) {
    BOOST_TEST(RecordKind<LaterNote>::name == "note");
    BOOST_TEST(RecordKind<LaterNote>::datadir == RecordKind<Note>::datadir);
}

BOOST_AUTO_TEST_CASE(only_words_become_names_of_directories) {
    BOOST_TEST(replica::detail::is_word("a-b_9"));
    for (const std::string_view bad : {"", "a b", "a/b", "..", "A", "pair<int>", "\xc3\xa4"}) {
        BOOST_TEST(!replica::detail::is_word(bad), bad);
    }
}
