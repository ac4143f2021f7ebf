// build error: 'db\.adopt\(text\)' (is|would be) invalid
#include <replica/sqlite/account.hpp>

// A received file that keeps its id is two histories under one name.
struct Book : replica::AccountBroker::database_type {
#ifndef FIXED
    void adopt() {}
#endif
};

void take(replica::Database auto& database) {
    database.adopt("sender");
}

void use(Book& book) {
    take(book);
}

int main() {}
