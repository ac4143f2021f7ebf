#include <replica/receive/compare.hpp>

#define BOOST_TEST_MODULE receive_compare
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tuple>

using namespace replica;
using namespace replica::test;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;

/// The question of the first node, answered by the second one.
template <class Kind>
struct Asked : Duo<Kind> {
    Asked() {
        this->nodes.create(1, this->name);
        for (int i = 0; i < 30; ++i) {
            const auto row = this->nodes.next_row("both" + std::to_string(i), 1, false);
            this->open(0).merge_items(std::span(&row, 1), "");
            this->open(1).merge_items(std::span(&row, 1), "");
        }
    }

    message::Compared answer() {
        auto database = this->open(1);
        const Reply reply =
            answer_compare(database, this->path(), {9, scan().digests.sums()}, this->journal);
        BOOST_TEST(reply.status == 200);
        return message::decode_compared(reply.body, 1);
    }

    RowScan scan() {
        return this->open(0).scan_rows(9, 1, std::numeric_limits<std::int64_t>::max());
    }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(the_answer_names_the_file_and_tells_what_is_unlike, Kind, Kinds) {
    Asked<Kind> duo;
    BOOST_TEST(duo.answer().unlike.empty());
    duo.nodes.put(0, duo.name, "ours");
    duo.nodes.put(1, duo.name, "theirs");
    const auto answer = duo.answer();
    BOOST_TEST(answer.id == duo.open(1).info().id);
    BOOST_TEST(answer.sound);
    BOOST_TEST(duo.scan().digests.only_here(answer.unlike).digests().size() == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wrong_hash_is_told_and_mended, Kind, Kinds) {
    Asked<Kind> duo;
    const std::string hash = duo.open(1).info().hash;
    duo.there().store.execute(duo.path(), "UPDATE " + std::string(SchemaOf<Kind>::stat) +
                                              " SET hash = '0123456789abcdef0123456789abcdef'");
    BOOST_TEST(duo.open(1).info().hash != hash);
    BOOST_TEST(!duo.answer().sound);
    BOOST_TEST(duo.open(1).info().hash == hash);
    BOOST_TEST(duo.journal.mentions("its hash or its sums"));
    BOOST_TEST(duo.answer().sound);
}
