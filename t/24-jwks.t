# SPDX-License-Identifier: BSD-2-Clause
# Proves that keys are rotated by files alone: a key set (jwt.jwks_file), a secret and a public key are read anew by
# HUP; and that a bad set is refused with its reason while the running keys stay.
use Tidings;
use Tidings::Token qw(token make_key jwk signed_token);
use Tidings::Util qw(run spew);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

my $dir = Tidings::dir();
my $json = JSON::PP->new->canonical->pretty;
make_key($dir, @$_) for ['RSA', 'rsa'], ['EC', 'ec'], ['ED25519', 'ed'], ['ED25519', 'ed2'], ['EC', 'pem1'], ['EC', 'pem2'];

my $oct = 'a secret of the provider, long enough for HMAC';
sub oct_jwk { return {kty => 'oct', kid => 'oct', k => encode_base64url($oct), @_} }
sub write_set { return spew("$dir/jwks.json", $json->encode({keys => [@_]}), 0600) }
sub write_pem { my ($name) = @_; return spew("$dir/titled.pub", Tidings::Util::slurp("$dir/$name.pub")) }

my $unknown = {kid => 'tomorrow', kty => 'AKP', alg => 'ML-DSA-44', pub => 'AAAA'};
my @first = (jwk($dir, 'RSA', 'rsa', use => 'sig'), jwk($dir, 'EC', 'ec', alg => 'ES256'), jwk($dir, 'ED25519', 'ed', alg => 'EdDSA'), oct_jwk(alg => 'HS384'));
write_set(@first, $unknown, jwk($dir, 'EC', 'pem1', kid => 'for-encryption', use => 'enc'));
write_pem('pem1');
my $own = spew("$dir/own-secret", "the first secret of this server itself\n", 0600);
my $t = Tidings->start(workers => 2, conf => {jwt => {secret_file => $own, jwks_file => "$dir/jwks.json",
	key => {titled => {algorithm => 'ES256', public_key_file => "$dir/titled.pub"}}}});

sub status_of {
	my ($token) = @_;
	return $t->http(undef)->get('/messages/unread-count', headers => [Authorization => "Bearer $token"])->status;
}
sub accepted { my ($name, $token) = @_; return is status_of($token), 200, "accepted: $name" }
sub refuses_token { my ($name, $token) = @_; return is status_of($token), 401, "refused: $name" }
sub by { my ($name, $alg, $kid) = @_; return signed_token($dir, $name, {alg => $alg, kid => $kid // $name}, {sub => 'alice'}) }
# The new workers serve as soon as they can; a token that only they take tells.
sub reload {
	my ($token) = @_;
	$t->node->reload;
	wait_for('the new keys to count', sub { status_of($token) == 200 });
	return;
}

subtest 'keys of a set' => sub {
	accepted('RSA', by('rsa', 'RS256'));
	accepted('EC', by('ec', 'ES256'));
	accepted('OKP', by('ed', 'EdDSA'));
	accepted('oct', token($oct, {sub => 'alice'}, {kid => 'oct', alg => 'HS384'}));
	accepted('a titled key beside it', by('pem1', 'ES256', 'titled'));
	accepted('the own key beside it', token('the first secret of this server itself', {sub => 'alice'}));
	refuses_token('oct by another algorithm than its alg', token($oct, {sub => 'alice'}, {kid => 'oct', alg => 'HS256'}));
	refuses_token('one key under the kid of another', by('ed2', 'EdDSA', 'ed'));
	refuses_token('HS256 signed with a public key', token($first[2]{x}, {sub => 'alice'}, {kid => 'ed'}));
	refuses_token('a key for encryption', by('pem1', 'ES256', 'for-encryption'));
	refuses_token('a kid that is not there', by('ed', 'EdDSA', 'nobody'));
	ok $t->node->log_like(qr/warn.*jwks\.json: key "tomorrow": passed over: its kty 'AKP' is not known here/), 'a key of a kind to come is warned of';
};

subtest 'rotation' => sub {
	write_set($first[0], jwk($dir, 'ED25519', 'ed2'));
	reload(by('ed2', 'EdDSA'));
	accepted('a key that stayed', by('rsa', 'RS256'));
	refuses_token('a key that went', by('ed', 'EdDSA'));
	refuses_token('another that went', by('ec', 'ES256'));

	write_pem('pem2');
	spew($own, "the second secret of this server itself\n", 0600);
	reload(by('pem2', 'ES256', 'titled'));
	refuses_token('the public key that its file no longer holds', by('pem1', 'ES256', 'titled'));
	accepted('the secret that its file holds now', token('the second secret of this server itself', {sub => 'alice'}));
	refuses_token('the one that it held', token('the first secret of this server itself', {sub => 'alice'}));
};

subtest 'a bad set changes nothing' => sub {
	my %bad = (
		'no JSON' => ['{"keys":[', qr/it is not JSON/],
		'no set' => ['[]', qr/there is no key set/],
		'a short modulus' => [$json->encode({keys => [jwk($dir, 'RSA', 'rsa', n => 'AQAB')]}), qr/key "rsa": RS256: the RSA key has less than 2048 bits/],
		'a short secret' => [$json->encode({keys => [oct_jwk(k => 'AAAA')]}), qr/key "oct": the secret has 3 bytes/],
		'no kid' => [$json->encode({keys => [@first, {kty => 'oct', k => 'AAAA'}]}), qr/key 5: kid is not a string/],
		'a kid twice' => [$json->encode({keys => [@first, $first[0]]}), qr/key "rsa": its kid was there before/],
		'a kid of a section' => [$json->encode({keys => [jwk($dir, 'EC', 'ec', kid => 'titled')]}), qr/key "titled": the section jwt has a key of this kid/],
	);
	for my $name (sort keys %bad) {
		spew("$dir/jwks.json", $bad{$name}[0]);
		kill 'HUP', $t->node->pid;
		ok $t->node->log_like(qr/the running configuration stays: \S+tidings\.conf:\d+: jwt\.jwks_file: \Q$dir\E\/jwks\.json: $bad{$name}[1]/),
			"$name: told with file, key and reason";
	}
	unlink "$dir/jwks.json" or die;
	my ($status, $out, $err) = $t->node->ctl('reload');
	isnt $status, 0, 'no file: a reload fails';
	like $out . $err, qr/jwt\.jwks_file: cannot read \Q$dir\E\/jwks\.json: No such file/, 'and is told';
	accepted('what was taken before', by('ed2', 'EdDSA'));
	accepted('and the titled key', by('pem2', 'ES256', 'titled'));
};

subtest 'at the start' => sub {
	my @check = (Tidings::Server::program('tidingsd'), '-t', '-c');
	my $conf = spew("$dir/alone.conf", qq(run_dir = "$dir"\njwt {\n jwks_file = "$dir/jwks.json" }\n));
	spew("$dir/jwks.json", '{"keys":[{"kid":"a"}]}');
	my ($status, $out, $err) = run($dir, @check, $conf);
	is $status, 1, 'a bad set stops it';
	like $err, qr/^\Q$conf\E:3: jwt\.jwks_file: \Q$dir\E\/jwks\.json: key "a": kty is not a string$/m, 'and is told';
	write_set($unknown);
	($status, $out, $err) = run($dir, @check, $conf);
	is $status, 1, 'a set without a key that can be used, alone, stops it';
	like $err, qr/the server needs a key/, 'and is told';
	write_set(jwk($dir, 'ED25519', 'ed', d => 'AAAA'), $unknown);
	($status, $out, $err) = run($dir, @check, $conf);
	is $status, 0, 'a set alone is enough' or diag($err);
	like $err, qr/key "ed": it is a private key/, 'a private key is warned of';
	like $err, qr/key "tomorrow": passed over/, 'and one of a kind to come';
	like $err, qr/accounts: nobody can register or log in here/, 'and that nothing signs tokens here';
	write_set(oct_jwk());
	($status, $out, $err) = run($dir, Tidings::Server::program('tidingsctl'), '-c', $conf, 'token', 'alice');
	isnt $status, 0, 'a set signs nothing';
	like $err, qr/only a secret in the section jwt signs/, 'and says so';
};

$t->stop;
unlike $t->node->log_text, qr/\Q$oct\E|@{[encode_base64url($oct)]}|BEGIN/, 'no key is in the log';
done_testing;
