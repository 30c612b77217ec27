# SPDX-License-Identifier: BSD-2-Clause
# Proves the devices of users (contract, section 11): what is taken and what is refused with the reason, that there are no more
# than twenty, that a token has one device, that devices go with their logins, and what users set for all of them.
use Tidings;
use Tidings::Shape;
use Tidings::Util qw(run spew);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

my $dir = Tidings::dir();
sub key_file { my ($name, @how) = @_; my ($status, undef, $err) = run($dir, 'openssl', 'genpkey', @how, '-out', "$dir/$name"); die $err if $status; return "$dir/$name" }
sub public_point { my ($file) = @_; my (undef, $der) = run($dir, 'openssl', 'pkey', '-in', $file, '-pubout', '-outform', 'DER'); return substr $der, -65 }
my @p256 = (-algorithm => 'EC', -pkeyopt => 'ec_paramgen_curve:P-256');
my $vapid = key_file('vapid.pem', @p256);

my $t = Tidings->start(workers => 2, conf => {limits => {logins_per_minute => 0, requests_per_second => 0}, relay => {vapid_key_file => $vapid, webpush_subject => 'mailto:ops@example.org'}});
my $anyone = $t->http(undef);
my $dbh = $t->dbh;
my $alice = $t->api('alice');
my ($T, $F, $N) = (JSON::PP::true(), JSON::PP::false(), undef);
my $DEVICE = {id => 'string', platform => 'string', app => 'string?', locale => 'string?', created_at => 'time', last_used_at => 'time', current => 'bool'};
my $point = encode_base64url(public_point($vapid));
my $auth = encode_base64url('a' x 16);
my $hex = '0123456789abcdef' x 4;

sub subscription { my (%o) = @_; return {endpoint => 'https://push.example/x', expirationTime => undef, keys => {p256dh => $point, auth => $auth}, %o} }
sub devices { my ($http) = @_; my $r = $http->get('/devices'); is $r->status, 200, 'the list' or diag $r->body; return @{$r->json->{items}} }
sub ids { return join ' ', sort map { $_->{id} } devices(@_) }
sub put_ok { my ($http, $id, $body, $name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; my $r = $http->put("/devices/$id", $body); is $r->status, 204, $name // $id or diag $r->body; return }
sub count { return ($dbh->selectrow_array('SELECT COUNT(*) FROM devices WHERE user_id = ?', undef, @_))[0] }

subtest 'the key of Web Push' => sub {
	my $r = $alice->get('/devices/vapid');
	is $r->status, 200, 'is there' or diag $r->body;
	is_deeply $r->json, {public_key => $point}, 'the public one of the file';
	refused 'only with a token', $anyone->get('/devices/vapid'), 401, 'token_invalid';
	is $alice->delete('/devices/vapid')->status, 405, 'no device is called so';
};

subtest 'each platform' => sub {
	is_deeply [devices($alice)], [], 'none at first';
	put_ok $alice, 'browser', {platform => 'webpush', subscription => subscription(), locale => 'zh-CN', app => ' Chat ', more => 1};
	put_ok $alice, 'padded', {platform => 'webpush', subscription => subscription(endpoint => 'HTTPS://push.example/padded?x=1', keys => {p256dh => "$point=", auth => "$auth=="})};
	put_ok $alice, 'phone', {platform => 'fcm', token => 'f' x 4096, subscription => undef, app => undef, locale => 'en_US'};
	put_ok $alice, 'pad:1', {platform => 'apns', token => uc $hex};
	my @all = devices($alice);
	is_shape $_, $DEVICE, $_->{id} for @all;
	is_deeply {map { $_->{id} => [@$_{qw(platform app locale)}, $_->{current} ? 1 : 0] } @all},
		{browser => ['webpush', 'Chat', 'zh-CN', 0], padded => ['webpush', $N, $N, 0], phone => ['fcm', $N, 'en_US', 0], 'pad:1' => ['apns', $N, $N, 0]}, 'as they were told of';
	my ($made) = map { $_->{created_at} } grep { $_->{id} eq 'phone' } @all;
	put_ok $alice, 'phone', {platform => 'apns', token => 'ab' x 40}, 'it becomes another one';
	my ($now) = grep { $_->{id} eq 'phone' } devices($alice);
	is_deeply [@$now{qw(platform created_at locale)}], ['apns', $made, $N], 'as a whole, but for when it was made';
	is $alice->delete("/devices/$_")->status, 204, "$_ is removed" for 'phone', 'phone', 'never-was';
	is ids($alice), 'browser pad:1 padded', 'it is gone';
	is ids($t->api('bob')), '', 'others have none';
};

subtest 'what is refused' => sub {
	my %bad = (
		'platform: is missing' => {token => 'x'}, 'platform: must be webpush' => {platform => 'sms', token => 'x'},
		'platform: must be a string' => {platform => 1},
		'token: is missing' => {platform => 'fcm'}, 'token: must be a string' => {platform => 'fcm', token => 5},
		'subscription: must be an object' => {platform => 'webpush', token => 'x'},
		'subscription.keys: must be an object' => {platform => 'webpush', subscription => {endpoint => 'https://push.example/'}},
		'app: must be of 1 to 128' => {platform => 'fcm', token => 'x', app => 'a' x 129},
		'app: must not contain control' => {platform => 'fcm', token => 'x', app => "a\tb"},
	);
	refused $_, $alice->put('/devices/x', $bad{$_}), 400, 'invalid_argument', qr/^\Q$_/ for sort keys %bad;
	refused 'an fcm token', $alice->put('/devices/x', {platform => 'fcm', token => $_}), 400, 'invalid_argument', qr/^token: must be of 1 to 4096/ for '', 'x' x 4097, 'a b', "a\n", "\x{e9}";
	refused 'an apns token', $alice->put('/devices/x', {platform => 'apns', token => $_}), 400, 'invalid_argument', qr/^token: must be of 64 to 200 hex/ for '', 'a' x 63, 'a' x 65, 'g' x 64, 'a' x 202;
	refused "the locale '$_'", $alice->put('/devices/x', {platform => 'fcm', token => 'x', locale => $_}), 400, 'invalid_argument', qr/^locale: must be a language tag/ for '', '-', 'zh-', '-CN', 'zh--CN', 'a' x 9, 'zh CN', "zh'", join('-', ('abcdefgh') x 5);
	refused "the endpoint '" . substr($_ // 'null', 0, 40) . "'", $alice->put('/devices/x', {platform => 'webpush', subscription => subscription(endpoint => $_)}), 400, 'invalid_argument', qr/^subscription\.endpoint: /
		for '', 'http://push.example/', 'ftp://push.example/', 'https://', 'https:///x', "https://push.example/\n", 'https://push.example/ x', 'https://me@push.example/', 'https://me:pw@push.example', 'https://push.example\\@x/', "https://push.example/\x{e9}", 'https://push.example/' . 'x' x 2048, 7, undef, [];
	my %points = (short => substr($point, 0, 86), 'off the curve' => encode_base64url("\4" . 'x' x 64), compressed => encode_base64url("\2" . substr public_point($vapid), 1, 32), hybrid => encode_base64url("\6" . substr public_point($vapid), 1), infinity => encode_base64url("\0" x 65), 'no base64url' => $point =~ s/./+/r, long => $point . 'AAAA', empty => '', 'a number' => 5);
	refused "a point: $_", $alice->put('/devices/x', {platform => 'webpush', subscription => subscription(keys => {p256dh => $points{$_}, auth => $auth})}), 400, 'invalid_argument', qr/^subscription\.keys\.p256dh: / for sort keys %points;
	refused 'auth', $alice->put('/devices/x', {platform => 'webpush', subscription => subscription(keys => {p256dh => $point, auth => $_})}), 400, 'invalid_argument', qr/^subscription\.keys\.auth: / for '', 'AAAA', encode_base64url('a' x 17), undef, {};
	for my $id ('a' x 65, '..', 'a%20b', '%00', '%2F', '%ff') {
		is $alice->put("/devices/$id", {platform => 'fcm', token => 'x'})->status, 404, "no device '$id'";
		is $alice->delete("/devices/$id")->status, 404, 'nor to be removed';
	}
	refused 'without a token', $anyone->put('/devices/x', {platform => 'fcm', token => 'x'}), 401, 'token_invalid';
	is ids($alice), 'browser pad:1 padded', 'nothing of it was kept';
};

subtest 'a token has one device' => sub {
	my ($bob, $carol) = map { $t->api($_) } qw(bob carol);
	put_ok $bob, 'phone', {platform => 'fcm', token => 'shared'};
	put_ok $carol, 'mine', {platform => 'fcm', token => 'shared'}, 'somebody else logs in there';
	is ids($bob), '', 'it moves';
	is ids($carol), 'mine', 'to her';
	put_ok $carol, 'again', {platform => 'fcm', token => 'shared'};
	is ids($carol), 'again', 'also to another device of hers';
	put_ok $bob, 'pad', {platform => 'apns', token => uc $hex x 2};
	put_ok $carol, 'pad', {platform => 'apns', token => $hex x 2};
	is ids($bob), '', 'whatever the case of its digits';
	put_ok $carol, 'third', {platform => 'fcm', token => $hex x 2};
	is ids($carol), 'again pad third', 'but each platform has its own tokens';
};

subtest 'twenty' => sub {
	my $dave = $t->api('dave');
	put_ok $dave, "d$_", {platform => 'fcm', token => "dave$_"} for 1 .. 20;
	$dbh->do("UPDATE devices SET used_at = used_at - INTERVAL 100 - SUBSTR(id, 2) MINUTE WHERE user_id = 'dave'");
	put_ok $dave, 'd1', {platform => 'fcm', token => 'dave1'}, 'the one that was used longest ago is used';
	put_ok $dave, 'd21', {platform => 'fcm', token => 'dave21'};
	is ids($dave), join(' ', sort map { "d$_" } 1, 3 .. 21), 'of more the longest unused goes';
	put_ok $dave, 'd1', {platform => 'fcm', token => 'changed'}, 'one that is there';
	is count('dave'), 20, 'costs none';
	$dbh->do("INSERT INTO devices SELECT user_id, CONCAT('e', id), 0, 2, id, UNHEX(SHA2(CONCAT('e', id), 256)), NULL, NULL, NULL, NULL, created_at, used_at - INTERVAL 1 DAY FROM devices WHERE user_id = 'dave' LIMIT 1");
	put_ok $dave, 'd22', {platform => 'fcm', token => 'dave22'};
	is count('dave'), 20, 'and where there were too many, all of those go';
};

subtest 'with the login' => sub {
	my $login = sub { my $r = $anyone->post('/users/login', {user_id => 'erin', password => 'correct horse'}); return ($r->json, $t->http(undef, token => $r->json->{token})) };
	$anyone->post('/users/register', {user_id => 'erin', password => 'correct horse'});
	my @logins = map { [$login->()] } 1 .. 5;
	my $other = $t->api('erin'); # of no login
	put_ok $logins[$_][1], "l$_", {platform => 'fcm', token => "erin$_"} for 0 .. 4;
	put_ok $other, 'free', {platform => 'fcm', token => 'erin-free'};
	is_deeply [map { $_->{id} } grep { $_->{current} } devices($logins[2][1])], ['l2'], 'its own';
	is $logins[0][1]->post('/users/logout', {})->status, 204, 'one logs out';
	is ids($other), 'free l1 l2 l3 l4', 'its device is gone';
	is $other->delete("/users/me/logins/$logins[1][0]{login_id}")->status, 204, 'one is ended elsewhere';
	is ids($other), 'free l2 l3 l4', 'likewise';
	my $spent = $logins[2][0]{refresh_token};
	$anyone->post('/users/refresh', {refresh_token => $spent});
	$t->node->clock(31);
	refused 'a spent refresh token', $anyone->post('/users/refresh', {refresh_token => $spent}), 401, 'token_revoked';
	is ids($other), 'free l3 l4', 'ends it with its device';
	is $logins[3][1]->put('/users/me/password', {old_password => 'correct horse', new_password => 'another one'})->status, 204, 'a new password';
	is ids($other), 'free l3', 'leaves this login and what is of none';
	$dbh->do('DELETE FROM logins WHERE id = ?', undef, $logins[3][0]{login_id});
	refused 'a login that is gone', $logins[3][1]->put('/devices/late', {platform => 'fcm', token => 'late'}), 401, 'token_revoked';
	$t->node->ctl_ok('user', 'revoke', 'erin');
	is count('erin'), 0, 'and with a revocation all go';
};

subtest 'settings' => sub {
	my $dnd = {from => '22:00', to => '07:30', zone => 'Asia/Shanghai'};
	my $set = sub { my ($body, $want, $name) = @_; my $r = $alice->put('/users/me/settings', $body); is $r->status, 200, $name or diag $r->body; is_deeply $r->json, $want, 'answered'; is_deeply $alice->get('/users/me/settings')->json, $want, 'and kept' };
	is_deeply $alice->get('/users/me/settings')->json, {dnd => $N, push_preview => $T}, 'at first';
	$set->({}, {dnd => $N, push_preview => $T}, 'nothing set');
	$set->({push_preview => $F}, {dnd => $N, push_preview => $F}, 'no preview');
	$set->({dnd => {%$dnd, more => 1}}, {dnd => $dnd, push_preview => $F}, 'do-not-disturb');
	$set->({push_preview => $N}, {dnd => $dnd, push_preview => $T}, 'null is the default');
	$set->({dnd => $N, push_preview => $F}, {dnd => $N, push_preview => $F}, 'and no do-not-disturb');
	$set->({dnd => {from => '00:00', to => '23:59', zone => 'America/Argentina/Buenos_Aires'}}, {dnd => {from => '00:00', to => '23:59', zone => 'America/Argentina/Buenos_Aires'}, push_preview => $F}, 'a long name');
	is_deeply $t->api('bob')->get('/users/me/settings')->json, {dnd => $N, push_preview => $T}, 'others have their own';
	for my $what (qw(from to)) {
		refused "dnd.$what", $alice->put('/users/me/settings', {dnd => {%$dnd, $what => $_}}), 400, 'invalid_argument', qr/^dnd\.$what: must be a time/ for '24:00', '7:00', '07:60', '0700', '07:00:00', "07:0\x{661}", '', 700, undef, '-1:00';
	}
	refused 'dnd.zone', $alice->put('/users/me/settings', {dnd => {%$dnd, zone => $_}}), 400, 'invalid_argument', qr/^dnd\.zone: must be a zone/ for '', 'Mars/Olympus', '../../etc/passwd', '/UTC', 'Asia', 'zone.tab', "UTC\0", 'A' x 65, 8, undef;
	refused 'no time between', $alice->put('/users/me/settings', {dnd => {%$dnd, to => '22:00'}}), 400, 'invalid_argument', qr/^dnd: from and to must differ/;
	refused 'dnd', $alice->put('/users/me/settings', {dnd => $_}), 400, 'invalid_argument', qr/^dnd: must be an object/ for 'never', 5, $T, [];
	refused 'push_preview', $alice->put('/users/me/settings', {push_preview => $_}), 400, 'invalid_argument', qr/^push_preview: must be true/ for 'no', 0, {};
	refused 'without a body', $alice->put('/users/me/settings', []), 400, 'invalid_argument', qr/object/;
};

subtest 'the configuration' => sub {
	my $rsa = key_file('rsa.pem', -algorithm => 'RSA');
	my $fault = sub {
		my ($relay, $want, $name) = @_;
		my $file = "$dir/bad.conf";
		spew($file, "jwt { secret = \"" . 'x' x 32 . "\" }\nrelay {\n" . join('', map { "\t$_ = " . ($relay->{$_} eq 'true' ? 'true' : "\"$relay->{$_}\"") . "\n" } sort keys %$relay) . "}\n");
		my ($status, $out, $err) = run($dir, Tidings::Server::program("tidingsd"), '-t', '-c', $file);
		like "$out$err", $want, $name;
		return $status;
	};
	isnt $fault->({vapid_key_file => $rsa, webpush_subject => 'mailto:a@b.c'}, qr/bad\.conf:3: relay\.vapid_key_file: .*P-256/, 'a key of another kind'), 0, 'is a fault';
	$fault->({vapid_key_file => "$dir/none"}, qr/relay\.vapid_key_file: cannot read/, 'no file');
	$fault->({vapid_key_file => $vapid}, qr/relay\.webpush_subject: needed/, 'no contact');
	$fault->({webpush_subject => 'ops'}, qr/webpush_subject: .*mailto:/, 'a contact that is none');
	$fault->({fcm_credentials_file => $vapid}, qr/relay\.fcm_credentials_file: .*not JSON/, 'no service account');
	$fault->({apns_key_file => $vapid}, qr/apns_key_id: needed.*apns_team_id: needed.*apns_topic: needed/s, 'what a key of Apple\'s needs');
	$fault->({apns_key_file => $rsa, apns_key_id => 'k', apns_team_id => 't', apns_topic => 'x'}, qr/relay\.apns_key_file: .*P-256/, 'another kind');
	$fault->({fcm_url => 'ftp://x'}, qr/fcm_url: 'ftp:.*a URL begins with/, 'a URL');
	$fault->({ca_file => "$dir/none"}, qr/relay\.ca_file: cannot read/, 'no authorities');
	is $fault->({vapid_key_file => $vapid, webpush_subject => 'mailto:ops@example.org', apns_key_file => $vapid, apns_key_id => 'k', apns_team_id => 't', apns_topic => 'org.example', allow_private => 'true'}, qr/\A(?!.*relay)/s, 'what is right'), 0, 'passes';
};

subtest 'without Web Push' => sub {
	$t->node->stop;
	$t->node->configure({%{$t->node->{conf}}, relay => {}})->start;
	refused 'no key', $alice->get('/devices/vapid'), 404, 'not_found';
	put_ok $alice, 'browser', {platform => 'webpush', subscription => subscription()}, 'devices are kept all the same';
};

$t->stop;
done_testing;
