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

sub refused {
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
	refused('no token', undef);
	refused('nothing', '');
	refused('no JWT', 'nonsense');
	refused('two parts', 'a.b');
	refused('four parts', token($secret, {%good}) . '.x');
	refused('empty parts', '..');
	refused('a head that is no JSON', token_parts($secret, 'x', '{}', 'HS256'));
	refused('a head that is no object', token_parts($secret, '[]', '{}', 'HS256'));
	refused('claims that are no JSON', token_parts($secret, '{"alg":"HS256"}', 'x', 'HS256'));
	refused('another secret', token('x' x 40, {%good}));
	refused('alg none', token('', {%good}, {alg => 'none'}));
	refused('alg None', token('', {%good}, {alg => 'None'}));
	refused('alg none for kid', token('', {%good}, {alg => 'none', kid => 'rsa'}));
	refused('no alg', token_parts($secret, '{"typ":"JWT"}', JSON::PP::encode_json({%good, exp => time + 99}), 'HS256'));
	refused('HS384 with our secret', token($secret, {%good}, {alg => 'HS384'}));
	refused('HS512 with our secret', token($secret, {%good}, {alg => 'HS512'}));
	refused('HS256 signed with the public key', token(slurp("$dir/rsa.pub"), {%good}, {kid => 'rsa'}));
	refused('RS256 said of an HMAC', token_parts(slurp("$dir/rsa.pub"), '{"alg":"RS256","kid":"rsa"}', JSON::PP::encode_json({%good, exp => time + 99}), 'HS256'));
	refused('an RSA token under another kid', asymmetric('rsa', 'RS256', {%good}) =~ s/^[^.]+/encode_base64url('{"alg":"RS256","kid":"ec"}')/er);
	refused('the own key\'s token under a kid', token($secret, {%good}, {kid => 'old'}));
	refused('a kid\'s token without it', token($old, {%good}));
	refused('an unknown kid', token($secret, {%good}, {kid => 'new'}));
	refused('a kid that is no string', token($secret, {%good}, {kid => 7}));
	my $token = token($secret, {%good});
	refused('a changed signature', substr($token, 0, -3) . (substr($token, -3, 1) eq 'A' ? 'B' : 'A') . substr $token, -2);
	refused('a short signature', substr $token, 0, -2);
	refused('no signature', $token =~ s/[^.]*\z//r);
	refused('changed claims', join '.', (split /\./, $token)[0], encode_base64url(JSON::PP::encode_json({%good, sub => 'bob', exp => time + 600})), (split /\./, $token)[2]);
	refused('white space within', $token =~ s/\./. /r);
	refused('expired', token($secret, {%good, exp => time - 60}), 'token_expired');
	refused('expired long ago', token($secret, {%good, exp => 1}), 'token_expired');
	refused('expired, and forged: forged counts', token('x' x 40, {%good, exp => time - 60}));
	refused('no exp', token($secret, {%good, exp => undef}));
	refused('exp as a string', token($secret, {%good, exp => '' . (time + 600) . 's'}));
	refused('not yet', token($secret, {%good, nbf => time + 120}));
	refused('another issuer', token($secret, {%good, iss => 'https://evil.example'}));
	refused('no issuer', token($secret, {%good, iss => undef}));
	refused('another audience', token($secret, {%good, aud => 'else'}));
	refused('other audiences', token($secret, {%good, aud => ['else', 'tidings2']}));
	refused('no audience', token($secret, {%good, aud => undef}));
	refused('nobody', token($secret, {%good, sub => undef}));
	refused('a user that is a number', token($secret, {%good, sub => 7 + 0}));
	refused('an empty user', token($secret, {%good, sub => ''}));
	refused('a user with 65 characters', token($secret, {%good, sub => 'a' x 65}));
	refused("a user that no path can name, $_", token($secret, {%good, sub => $_})) for '.', '..';
	accepted('one of three dots', token($secret, {%good, sub => '...'}));
	refused("a user with '$_'", token($secret, {%good, sub => "al${_}ice"})) for ' ', '/', "\n", '*', '%', "\0", "\x{e9}";
	refused('a very long one', token($secret, {%good, more => 'x' x 9000}) =~ s/.\z//r);
	my $r = $t->http(undef)->get('/messages/unread-count', headers => [Authorization => 'Basic YWxpY2U6eA==']);
	is $r->code, 'token_invalid', 'another scheme';
	$r = $t->http(undef)->get('/messages/unread-count?access_token=' . token($secret, {%good}));
	is $r->code, 'token_invalid', 'access_token in the query is for the WebSocket alone';
};

subtest 'EdDSA by the same rules' => sub {
	my $token = asymmetric('ed', 'EdDSA', {%good});
	my $head = {alg => 'EdDSA', kid => 'ed'};
	refused('another key', signed_token($dir, 'other', $head, {%good}));
	refused('without its kid', signed_token($dir, 'ed', {alg => 'EdDSA'}, {%good}));
	refused('under the kid of another algorithm', signed_token($dir, 'ed', {alg => 'EdDSA', kid => 'ec'}, {%good}));
	refused('HS256 signed with the public key', token(slurp("$dir/ed.pub"), {%good}, {kid => 'ed'}));
	refused('HS256 signed with the bytes of the public key', token(public_bytes($dir, 'ed'), {%good}, {kid => 'ed'}));
	refused('the same, called EdDSA', token_parts(slurp("$dir/ed.pub"), '{"alg":"EdDSA","kid":"ed"}', JSON::PP::encode_json({%good, exp => time + 99}), 'HS256'));
	refused('alg none', token('', {%good}, {alg => 'none', kid => 'ed'}));
	refused('a signature of 63 bytes', substr $token, 0, -2);
	refused('a cut signature', substr $token, 0, -20);
	refused('no signature', $token =~ s/[^.]*\z//r);
	refused('a changed signature', $token =~ s/\.(.)([^.]*)\z/'.' . ($1 eq 'A' ? 'B' : 'A') . $2/er);
	refused('changed claims', join '.', (split /\./, $token)[0], encode_base64url(JSON::PP::encode_json({%good, sub => 'bob', exp => time + 600})), (split /\./, $token)[2]);
	refused('expired', asymmetric('ed', 'EdDSA', {%good, exp => time - 60}), 'token_expired');
	refused('not yet', asymmetric('ed', 'EdDSA', {%good, nbf => time + 120}));
	refused('another issuer', asymmetric('ed', 'EdDSA', {%good, iss => 'https://evil.example'}));
	refused('another audience', asymmetric('ed', 'EdDSA', {%good, aud => 'else'}));
};

subtest 'a token that was good runs out' => sub {
	my $token = token($secret, {%good, exp => time + 100});
	accepted('now', $token) for 1 .. 4;
	$t->node->clock(200);
	refused('later', $token, 'token_expired');
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
