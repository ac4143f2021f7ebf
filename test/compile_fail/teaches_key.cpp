// teaches: Key, number, static assertion, the first member of a record is its key
#include <replica/record/kind.hpp>

#include <boost/hana/define_struct.hpp>

struct Page {
#ifdef FIXED
    BOOST_HANA_DEFINE_STRUCT(Page, (std::string, title), (std::int64_t, number));
#else
    BOOST_HANA_DEFINE_STRUCT(Page, (std::int64_t, number), (std::string, title));
#endif
};

replica::RecordKind<Page> kind;

int main() {}
