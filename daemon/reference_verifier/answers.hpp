// What the reference Verifier answers, as HTTP messages of Veraison's challenge-response API.
#pragma once

#include "reference_verifier/evidence_appraiser.hpp"
#include "reference_verifier/session_store.hpp"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace atls {

using http_question = boost::beast::http::request<boost::beast::http::string_body>;
using http_answer = boost::beast::http::response<boost::beast::http::string_body>;

/// Without a body's type if that is empty.
http_answer answer(const http_question& to, unsigned status, std::string_view type,
                   std::string body);
/// A problem document (RFC 7807).
http_answer problem(const http_question& to, unsigned status, const std::string& detail);
/// 404, for what this API has no path or method.
http_answer not_found(const http_question& to);

/// Whether the Accept header, if there is one, takes this type.
bool accepts(const http_question& message, std::string_view type);
/// 406, to what does not accept the only type there is.
http_answer not_acceptable(const http_question& to, std::string_view type);
/// 415, with what could have been submitted.
http_answer no_appraiser(const http_question& to, const std::string& media_type,
                         const evidence_appraisers& known);

/// The session document.
http_answer describe(const http_question& to, unsigned status, const appraisal_session& session,
                     const evidence_appraisers& known);

/// ["application/...", ...]
json media_types(const evidence_appraisers& known);

}  // namespace atls
