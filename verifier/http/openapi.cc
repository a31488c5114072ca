#include "verifier/http/rest_api.h"

namespace assay {

std::string_view openapi_document() {
  static constexpr std::string_view kDocument = R"json({
"openapi": "3.1.0",
"info": {
  "title": "Assay verifier",
  "version": "1",
  "description": "Tokens are taken over HTTPS, and in plain HTTP from the verifier's own machine only. One request for each connection."
},
"components": {
  "securitySchemes": {
    "operator": {"type": "http", "scheme": "bearer", "description": "the operators' token"},
    "push": {"type": "http", "scheme": "bearer", "description": "a push token: assay push-token create"},
    "client": {"type": "mutualTLS", "description": "a client certificate that golden.clients admits"}
  },
  "schemas": {
    "GoldenSet": {
      "type": "object",
      "required": ["name", "digest", "generation", "files", "hashes", "signers", "source", "pushed_at", "pushed_by", "signed_by", "state", "state_since", "state_by", "reason", "golden_until", "approved_by", "approved_at"],
      "properties": {
        "name": {"type": "string"},
        "digest": {"type": "string", "description": "of the set file: sha256:…"},
        "generation": {"type": "integer", "minimum": 1},
        "files": {"type": "integer"},
        "hashes": {"type": "integer"},
        "signers": {"type": "integer"},
        "source": {"type": "string"},
        "pushed_at": {"type": "string", "format": "date-time"},
        "pushed_by": {"type": "string"},
        "signed_by": {"type": "array", "items": {"type": "string"}, "description": "of each key that vouches for it: sha256:…"},
        "state": {"type": "string", "enum": ["draft", "approved", "superseded", "revoked"]},
        "state_since": {"type": "string", "format": "date-time"},
        "state_by": {"type": "string"},
        "reason": {"type": ["string", "null"], "description": "why it was revoked"},
        "golden_until": {"type": ["string", "null"], "format": "date-time", "description": "until when a superseded set counts"},
        "approved_by": {"type": ["string", "null"], "description": "who approved it the last time"},
        "approved_at": {"type": ["string", "null"], "format": "date-time"}
      }
    },
    "Problem": {
      "type": "object",
      "description": "RFC 9457",
      "required": ["type", "title", "status", "detail"],
      "properties": {
        "type": {"type": "string", "description": "https://assay.dev/faults/ and the fault's id, or about:blank where the status says all"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "for people; may change"},
        "fault": {"type": "string", "description": "the fault's id, which never changes: golden.conflict"}
      }
    }
  },
  "responses": {
    "Problem": {"description": "why not", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
    "GoldenSet": {"description": "the set as it stands now", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GoldenSet"}}}}
  }
},
"paths": {
  "/api/v1/openapi.json": {
    "get": {
      "operationId": "getOpenApi",
      "summary": "This document",
      "responses": {"200": {"description": "OpenAPI 3", "content": {"application/json": {"schema": {"type": "object"}}}}}
    }
  },
  "/api/v1/golden/sets": {
    "get": {
      "operationId": "listGoldenSets",
      "summary": "Of each name the generation that counts, else the newest",
      "security": [{"operator": []}],
      "responses": {
        "200": {"description": "all sets", "content": {"application/json": {"schema": {"type": "object", "required": ["sets"], "properties": {"sets": {"type": "array", "items": {"$ref": "#/components/schemas/GoldenSet"}}}}}}},
        "401": {"$ref": "#/components/responses/Problem"},
        "403": {"$ref": "#/components/responses/Problem"},
        "default": {"$ref": "#/components/responses/Problem"}
      }
    },
    "post": {
      "operationId": "pushGoldenSet",
      "summary": "Make a set the next generation of its name",
      "description": "The same set twice is one. Who pushes is known before the body is read.",
      "security": [{"operator": []}, {"push": []}, {"client": []}],
      "parameters": [
        {"name": "draft", "in": "query", "description": "let it wait for approval", "schema": {"type": "boolean", "default": false}},
        {"name": "Idempotency-Key", "in": "header", "description": "a push that is repeated under its key within a day is stored once, whatever came between", "schema": {"type": "string", "maxLength": 128}}
      ],
      "requestBody": {
        "required": true,
        "description": "a set file as assay golden build writes it, or the envelope of assay golden sign; at most 360 MiB, within 15 minutes",
        "content": {
          "application/json": {"schema": {"type": "object"}},
          "application/vnd.in-toto+json": {"schema": {"type": "object"}},
          "application/vnd.dsse.envelope.v1+json": {"schema": {"type": "object"}}
        }
      },
      "responses": {
        "200": {"$ref": "#/components/responses/GoldenSet"},
        "201": {"$ref": "#/components/responses/GoldenSet"},
        "400": {"$ref": "#/components/responses/Problem"},
        "401": {"$ref": "#/components/responses/Problem"},
        "403": {"$ref": "#/components/responses/Problem"},
        "408": {"$ref": "#/components/responses/Problem"},
        "409": {"$ref": "#/components/responses/Problem"},
        "411": {"$ref": "#/components/responses/Problem"},
        "413": {"$ref": "#/components/responses/Problem"},
        "415": {"$ref": "#/components/responses/Problem"},
        "422": {"$ref": "#/components/responses/Problem"},
        "429": {"$ref": "#/components/responses/Problem"},
        "default": {"$ref": "#/components/responses/Problem"}
      }
    }
  }
}
}
)json";
  return kDocument;
}

}  // namespace assay
