// build error: BOOST_HANA_DEFINE_STRUCT
#include <replica/sqlite/record.hpp>

#ifdef FIXED
struct Note {
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::int64_t, stars));
};
#else
struct Note {
    std::string id;
    std::int64_t stars = 0;
};
#endif

replica::RecordBroker<Note> store;

int main() {}
