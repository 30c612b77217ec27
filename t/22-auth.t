# SPDX-License-Identifier: BSD-2-Clause
# Proves who is let in: tokens of every accepted kind, and none of the forged, stale or misdirected ones. No token may
# be found in the log afterwards.
use Tidings;
use Tidings::Token qw(token token_parts make_key public_bytes signed_token);
use Tidings::Util qw(slurp);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

my $dir = Tidings::dir();
make_key($dir, @$_) for ['RSA', 'rsa'], ['EC', 'ec'], ['ED25519', 'ed'], ['ED25519', 'other'];

my $secret = $Tidings::SECRET;
my $old = 'the secret of the year before, which is long enough too';
my $t = Tidings->start(workers => 2, conf => {jwt => {issuer => 'https://id.example', audience => 'tidings',
	key => {old => {secret => $old}, big => {algorithm => 'HS512', secret => $old}, rsa => {algorithm => 'RS256', public_key_file => "$dir/rsa.pub"},
		ec => {algorithm => 'ES256', public_key_file => "$dir/ec.pub"}, ed => {algorithm => 'EdDSA', public_key_file => "$dir/ed.pub"}}}});
$t->befriend('alice', 'bob');

my %good = (sub => 'alice', iss => 'https://id.example', aud => 'tidings');
my @tokens;

sub asymmetric {
	my ($kid, $alg, $claims) = @_;
	return signed_token($dir, $kid, {alg => $alg, kid => $kid}, $claims);
}

sub ask {
	my ($token, @headers) = @_;
	push @tokens, $token if defined $token && length $token > 20;
	return $t->http(undef)->get('/messages/unread-count', headers => [defined $token ? (Authorization => "Bearer $token") : (), @headers]);
}

sub accepted {
	my ($name, $token) = @_;
	my $r = ask($token);
	is $r->status, 200, "accepted: $name" or diag($r->body);
}

sub refuses_token {
	my ($name, $token, $code) = @_;
	$code //= 'token_invalid';
	my $r = ask($token);
	is $r->status . ' ' . $r->code, "401 $code", "refused: $name";
	is $r->header('www-authenticate'), 'Bearer', 'WWW-Authenticate';
	ok !defined $token || length $token < 20 || index($r->body, substr $token, 0, 20) < 0, 'the token is not said again';
}

subtest 'good ones' => sub {
	accepted('the own key', token($secret, {%good}));
	accepted('again, from memory', token($secret, {%good}));
	accepted('by kid', token($old, {%good}, {kid => 'old'}));
	accepted('by kid, HS512', token($old, {%good}, {kid => 'big', alg => 'HS512'}));
	accepted('RS256', asymmetric('rsa', 'RS256', {%good}));
	accepted('ES256', asymmetric('ec', 'ES256', {%good}));
	accepted('EdDSA', asymmetric('ed', 'EdDSA', {%good}));
	accepted('EdDSA, again, from memory', $tokens[-1]);
	accepted('an access token of RFC 9068', token($secret, {%good}, {typ => 'at+jwt'}));
	accepted('the same, RS256', signed_token($dir, 'rsa', {alg => 'RS256', kid => 'rsa', typ => 'at+jwt'}, {%good}));
	accepted('an audience among several', token($secret, {%good, aud => ['other', 'tidings']}));
	accepted('just expired, within the leeway', token($secret, {%good, exp => time - 5}));
	accepted('not before in a moment, within the leeway', token($secret, {%good, nbf => time + 5}));
	accepted('further claims', token($secret, {%good, name => 'Alice', groups => [1, {a => undef}]}));
	accepted('a longest name', token($secret, {%good, sub => 'a' x 64}));
	accepted('all characters', token($secret, {%good, sub => 'aZ0.9_@:-'}));
	my ($status, $out) = $t->node->ctl('token', 'carol');
	accepted('tidingsctl token', $out =~ s/\s+\z//r);
	my @both = map { (Authorization => 'Bearer ' . token($secret, {%good, sub => $_})) } qw(alice bob);
	my $r = $t->http(undef)->get('/messages/unread-count', headers => \@both);
	is $r->status . ' ' . $r->code, '401 token_invalid', 'two tokens: whose is it?';
	is $t->http(undef)->get('/messages/unread-count', headers => [Authorization => 'bearer ' . token($secret, {%good})])->status, 200, 'the scheme in small letters';
};

subtest 'bad ones' => sub {
	refuses_token('no token', undef);
	refuses_token('nothing', '');
	refuses_token('no JWT', 'nonsense');
	refuses_token('two parts', 'a.b');
	refuses_token('four parts', token($secret, {%good}) . '.x');
	refuses_token('empty parts', '..');
	refuses_token('a head that is no JSON', token_parts($secret, 'x', '{}', 'HS256'));
	refuses_token('a head that is no object', token_parts($secret, '[]', '{}', 'HS256'));
	refuses_token('claims that are no JSON', token_parts($secret, '{"alg":"HS256"}', 'x', 'HS256'));
	refuses_token('another secret', token('x' x 40, {%good}));
	refuses_token('alg none', token('', {%good}, {alg => 'none'}));
	refuses_token('alg None', token('', {%good}, {alg => 'None'}));
	refuses_token('alg none for kid', token('', {%good}, {alg => 'none', kid => 'rsa'}));
	refuses_token('no alg', token_parts($secret, '{"typ":"JWT"}', JSON::PP::encode_json({%good, exp => time + 99}), 'HS256'));
	refuses_token('HS384 with our secret', token($secret, {%good}, {alg => 'HS384'}));
	refuses_token('HS512 with our secret', token($secret, {%good}, {alg => 'HS512'}));
	refuses_token('HS256 signed with the public key', token(slurp("$dir/rsa.pub"), {%good}, {kid => 'rsa'}));
	refuses_token('RS256 said of an HMAC', token_parts(slurp("$dir/rsa.pub"), '{"alg":"RS256","kid":"rsa"}', JSON::PP::encode_json({%good, exp => time + 99}), 'HS256'));
	refuses_token('an RSA token under another kid', asymmetric('rsa', 'RS256', {%good}) =~ s/^[^.]+/encode_base64url('{"alg":"RS256","kid":"ec"}')/er);
	refuses_token('the own key\'s token under a kid', token($secret, {%good}, {kid => 'old'}));
	refuses_token('a kid\'s token without it', token($old, {%good}));
	refuses_token('an unknown kid', token($secret, {%good}, {kid => 'new'}));
	refuses_token('a kid that is no string', token($secret, {%good}, {kid => 7}));
	my $token = token($secret, {%good});
	refuses_token('a changed signature', substr($token, 0, -3) . (substr($token, -3, 1) eq 'A' ? 'B' : 'A') . substr $token, -2);
	refuses_token('a short signature', substr $token, 0, -2);
	refuses_token('no signature', $token =~ s/[^.]*\z//r);
	refuses_token('changed claims', join '.', (split /\./, $token)[0], encode_base64url(JSON::PP::encode_json({%good, sub => 'bob', exp => time + 600})), (split /\./, $token)[2]);
	refuses_token('white space within', $token =~ s/\./. /r);
	refuses_token('expired', token($secret, {%good, exp => time - 60}), 'token_expired');
	refuses_token('expired long ago', token($secret, {%good, exp => 1}), 'token_expired');
	refuses_token('expired, and forged: forged counts', token('x' x 40, {%good, exp => time - 60}));
	refuses_token('no exp', token($secret, {%good, exp => undef}));
	refuses_token('exp as a string', token($secret, {%good, exp => '' . (time + 600) . 's'}));
	refuses_token('not yet', token($secret, {%good, nbf => time + 120}));
	refuses_token('another issuer', token($secret, {%good, iss => 'https://evil.example'}));
	refuses_token('no issuer', token($secret, {%good, iss => undef}));
	refuses_token('another audience', token($secret, {%good, aud => 'else'}));
	refuses_token('other audiences', token($secret, {%good, aud => ['else', 'tidings2']}));
	refuses_token('no audience', token($secret, {%good, aud => undef}));
	refuses_token('nobody', token($secret, {%good, sub => undef}));
	refuses_token('a user that is a number', token($secret, {%good, sub => 7 + 0}));
	refuses_token('an empty user', token($secret, {%good, sub => ''}));
	refuses_token('a user with 65 characters', token($secret, {%good, sub => 'a' x 65}));
	refuses_token("a user that no path can name, $_", token($secret, {%good, sub => $_})) for '.', '..';
	accepted('one of three dots', token($secret, {%good, sub => '...'}));
	refuses_token("a user with '$_'", token($secret, {%good, sub => "al${_}ice"})) for ' ', '/', "\n", '*', '%', "\0", "\x{e9}";
	refuses_token('a very long one', token($secret, {%good, more => 'x' x 9000}) =~ s/.\z//r);
	my $r = $t->http(undef)->get('/messages/unread-count', headers => [Authorization => 'Basic YWxpY2U6eA==']);
	is $r->code, 'token_invalid', 'another scheme';
	$r = $t->http(undef)->get('/messages/unread-count?access_token=' . token($secret, {%good}));
	is $r->code, 'token_invalid', 'access_token in the query is for the WebSocket alone';
};

subtest 'EdDSA by the same rules' => sub {
	my $token = asymmetric('ed', 'EdDSA', {%good});
	my $head = {alg => 'EdDSA', kid => 'ed'};
	refuses_token('another key', signed_token($dir, 'other', $head, {%good}));
	refuses_token('without its kid', signed_token($dir, 'ed', {alg => 'EdDSA'}, {%good}));
	refuses_token('under the kid of another algorithm', signed_token($dir, 'ed', {alg => 'EdDSA', kid => 'ec'}, {%good}));
	refuses_token('HS256 signed with the public key', token(slurp("$dir/ed.pub"), {%good}, {kid => 'ed'}));
	refuses_token('HS256 signed with the bytes of the public key', token(public_bytes($dir, 'ed'), {%good}, {kid => 'ed'}));
	refuses_token('the same, called EdDSA', token_parts(slurp("$dir/ed.pub"), '{"alg":"EdDSA","kid":"ed"}', JSON::PP::encode_json({%good, exp => time + 99}), 'HS256'));
	refuses_token('alg none', token('', {%good}, {alg => 'none', kid => 'ed'}));
	refuses_token('a signature of 63 bytes', substr $token, 0, -2);
	refuses_token('a cut signature', substr $token, 0, -20);
	refuses_token('no signature', $token =~ s/[^.]*\z//r);
	refuses_token('a changed signature', $token =~ s/\.(.)([^.]*)\z/'.' . ($1 eq 'A' ? 'B' : 'A') . $2/er);
	refuses_token('changed claims', join '.', (split /\./, $token)[0], encode_base64url(JSON::PP::encode_json({%good, sub => 'bob', exp => time + 600})), (split /\./, $token)[2]);
	refuses_token('expired', asymmetric('ed', 'EdDSA', {%good, exp => time - 60}), 'token_expired');
	refuses_token('not yet', asymmetric('ed', 'EdDSA', {%good, nbf => time + 120}));
	refuses_token('another issuer', asymmetric('ed', 'EdDSA', {%good, iss => 'https://evil.example'}));
	refuses_token('another audience', asymmetric('ed', 'EdDSA', {%good, aud => 'else'}));
};

subtest 'a token that was good runs out' => sub {
	my $token = token($secret, {%good, exp => time + 100});
	accepted('now', $token) for 1 .. 4;
	$t->node->clock(200);
	refuses_token('later', $token, 'token_expired');
};

subtest 'another user_claim' => sub {
	my $u = Tidings->start(workers => 1, conf => {jwt => {user_claim => 'uid', leeway => 0}});
	is $u->http(undef)->get('/messages/unread-count', headers => [Authorization => 'Bearer ' . token($secret, {sub => '!', uid => 'alice'})])->status, 200, 'the configured claim';
	is $u->http(undef)->get('/messages/unread-count', headers => [Authorization => 'Bearer ' . token($secret, {sub => 'alice'})])->status, 401, 'and only that';
	$u->stop;
};

$t->stop;
my $log = $t->node->log_text;
my @leaked = grep { index($log, substr $_, 0, 30) >= 0 || index($log, substr $_, -30) >= 0 } @tokens;
is_deeply \@leaked, [], 'no token is in the log';
done_testing;
