// The database's tables, and how an older database becomes a current one.
#pragma once

#include "verifier/store/sqlite.h"

namespace assay {

// Brings the database to the schema of this version, one migration at a time, each in a
// transaction of its own. Fails with kStoreFailed for a database of another program or of a newer
// version, which it leaves as they are.
Status migrate(Database& database);

}  // namespace assay
