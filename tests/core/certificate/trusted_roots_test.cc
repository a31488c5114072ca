#include "core/certificate/trusted_roots.h"

#include <doctest/doctest.h>

#include "tests/core/enrolment/certified_tpm.h"

using namespace assay;
using namespace assay::testing;

TEST_CASE("parse_trusted_roots: PEM and DER, one certificate or many, with text between") {
  const Bytes& root = vendor().root();
  const Bytes& upper = vendor().upper();
  const Bytes other = Vendor().root();
  const auto size_of = [](const std::vector<Bytes>& files) {
    const auto got = parse_trusted_roots(files);
    REQUIRE(got.has_value());
    return got->size();
  };
  CHECK(TrustedRoots().size() == 0);
  CHECK(TrustedRoots().pem().empty());
  CHECK(parse_trusted_roots({root, upper})->pem() == pem_chain({root}));
  CHECK(size_of({}) == 0);
  CHECK(size_of({root}) == 1);
  CHECK(size_of({root, other}) == 2);
  CHECK(size_of({root, root}) == 1);
  CHECK(size_of({to_pem(root)}) == 1);
  CHECK(size_of({joined({as_bytes("Root\n"), to_pem(root), as_bytes("\nUpper\n"), to_pem(upper),
                         to_pem(other), as_bytes("end\n")})}) == 2);
  CHECK(size_of({joined({to_pem(Bytes{5, 0}, "X509 CRL"), to_pem(root)})}) == 1);
}

TEST_CASE("parse_trusted_roots: a file without certificates, or with a broken one, is refused") {
  const Bytes& root = vendor().root();
  const Bytes pem = to_pem(root);
  const Bytes bad[] = {{},
                       Bytes(10),
                       joined({root, Bytes{0}}),
                       joined({root, root}),
                       to_pem(root, "X509 CRL"),
                       to_pem(joined({root, Bytes{0}})),
                       joined({pem, to_pem(Bytes{0x30, 0x00})}),
                       Bytes(pem.begin(), pem.end() - 10),
                       joined({pem, as_bytes("-----BEGIN CERTIFICATE-----\n*\n")})};
  for (const Bytes& file : bad) {
    CAPTURE(&file - bad);
    const auto got = parse_trusted_roots({root, file});
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kConfigInvalid);
  }
}
