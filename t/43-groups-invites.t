# SPDX-License-Identifier: BSD-2-Clause
# Proves how one comes into a group (contract, section 7): invites and what a stranger sees of one, open groups, approval;
# used-up, expired and revoked codes, bans and limits; many who come at once.
use Tidings;
use Tidings::Shape;

my $t = Tidings->start(workers => 2, conf => {groups => {max_members => 6, max_per_user => 6}});
$t->befriend(qw(alice bob));
my ($alice, $bob, $carol, $dave, $erin) = map { $t->api($_) } qw(alice bob carol dave erin);
my $INVITE = {code => 'string', expires_at => 'time?', max_uses => '?', uses => 'int', created_by => 'string', created_at => 'time'};

sub invite { my ($http, $id, %body) = @_; return $http->post("/groups/$id/invites", \%body)->json->{code} }
sub last_system { my ($http, $id) = @_; my $m = $http->get("/messages/conversations/$id/messages?limit=1")->json->{items}[0]; return [$m->{from_user_id}, @{$m->{extra}}{qw(event user_ids)}] }

my $id = $t->group('alice', ['bob'], about => 'what a stranger sees', avatar_url => 'https://x.example/y');

subtest 'invites' => sub {
	my $r = $bob->post("/groups/$id/invites", {expires_in => 3600, max_uses => 2});
	is $r->status, 201, 'a member makes one' or diag($r->body);
	my $i = $r->json;
	is_deeply [sort keys %$i], [sort keys %$INVITE], 'as the contract says, and by whom and when';
	like $i->{code}, qr/^[A-Za-z0-9_-]{16}$/, 'a code that cannot be guessed';
	is_deeply [@$i{qw(max_uses uses created_by)}], [2, 0, 'bob'], 'its limit';
	my $secs = $t->dbh->selectrow_array('SELECT TIMESTAMPDIFF(SECOND, created_at, expires_at) FROM group_invites WHERE code = ?', undef, $i->{code});
	is $secs, 3600, 'and its end';
	my $endless = $bob->request('POST', "/groups/$id/invites");
	is_deeply [$endless->status, @{$endless->json}{qw(expires_at max_uses)}], [201, undef, undef], 'without a body: neither';
	is_deeply [sort map { $_->{code} } @{$alice->get("/groups/$id/invites")->json->{items}}], [sort $i->{code}, $endless->json->{code}], 'the list';
	is_deeply [map { exists $_->{next_cursor} ? $_->{next_cursor} : 'none' } $alice->get("/groups/$id/invites")->json], [undef], 'of one page';
	my @bad = ([expires_in => 0], [expires_in => -1], [expires_in => 31536001], [expires_in => '60'], [expires_in => 1.5], [max_uses => 0], [max_uses => 1000001], [max_uses => []]);
	refused("$_->[0] " . JSON::PP->new->allow_nonref->encode($_->[1]), $bob->post("/groups/$id/invites", {@$_}), 400, 'invalid_argument', qr/^$_->[0]/) for @bad;
	is $bob->post("/groups/$id/invites", {expires_in => 31536000, max_uses => 1000000})->status, 201, 'at the limits';
	is $bob->post("/groups/$id/invites", {expires_in => undef, max_uses => undef})->status, 201, 'null is absence';
	refused('a stranger', $_, 404, 'not_found') for $carol->post("/groups/$id/invites", {}), $carol->get("/groups/$id/invites"), $carol->delete("/groups/$id/invites/$i->{code}");

	is_deeply $carol->get("/invites/$i->{code}")->json, {name => 'A group', avatar_url => 'https://x.example/y', about => 'what a stranger sees', member_count => 2}, 'what a stranger sees';
	my ($wa, $wc) = ($t->ws('alice'), $t->ws('carol'));
	$r = $carol->post("/invites/$i->{code}", {});
	is $r->status, 200, 'joining' or diag($r->body);
	is_shape $r->json, $GROUP, 'the conversation';
	is_deeply [$r->json->{id}, $r->json->{group}{role}, $r->json->{unread_count}], [$id, 'member', 0], 'of the group';
	is_deeply last_system($alice, $id), ['carol', 'joined', ['carol']], 'is told';
	is $wa->expect('message')->{message}{extra}{event}, 'joined', 'to members';
	is $wc->expect('conversation')->{conversation}{id}, $id, 'and to the one who came';
	is $carol->post("/invites/$i->{code}", {})->status, 200, 'again: 200 for a member';
	is ((grep { $_->{code} eq $i->{code} } @{$alice->get("/groups/$id/invites")->json->{items}})[0]{uses}, 1, 'used once');
	is $dave->request('POST', "/invites/$i->{code}")->status, 200, 'another, without a body';
	refused('a third', $erin->post("/invites/$i->{code}", {}), 404, 'not_found');
	refused('who does not see it either', $erin->get("/invites/$i->{code}"), 404, 'not_found');
	$_->abort for $wa, $wc;
	$carol->delete("/groups/$id/members/carol");
	$dave->delete("/groups/$id/members/dave");
};

subtest 'codes that are none' => sub {
	refused("GET of $_", $carol->get("/invites/$_"), 404, 'not_found') for 'AAAAAAAAAAAAAAAA', 'x', '%2e%2e', 'a%20b', 'a%00b', '%ff', "x" x 65, "'%20OR%201=1";
	refused("POST to $_", $carol->post("/invites/$_", {}), 404, 'not_found') for 'AAAAAAAAAAAAAAAA', 'a.b', 'x' x 65;
	is $carol->delete('/invites/x')->header('allow'), 'GET, HEAD, POST', 'another method';
	refused('without a token', $t->http(undef)->get('/invites/x'), 401, 'token_invalid');
	my $code = invite($bob, $id);
	is $carol->get("/invites/" . join '', map { sprintf '%%%02x', ord } split //, $code)->status, 200, 'percent-encoded';
	my $expired = invite($bob, $id, expires_in => 1);
	$t->dbh->do('UPDATE group_invites SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE code = ?', undef, $expired);
	refused("expired: $_", $carol->request($_, "/invites/$expired"), 404, 'not_found') for qw(GET POST);
	is scalar(grep { $_->{code} eq $expired } @{$bob->get("/groups/$id/invites")->json->{items}}), 0, 'and not in the list';
	is $bob->delete("/groups/$id/invites/$code")->status, 204, 'revoked';
	refused("revoked: $_", $carol->request($_, "/invites/$code"), 404, 'not_found') for qw(GET POST);
	refused('revoked twice', $bob->delete("/groups/$id/invites/$code"), 404, 'not_found');
	my $other = $t->group('bob', []);
	my $foreign = invite($bob, $other);
	refused('that of another group', $alice->delete("/groups/$id/invites/$foreign"), 404, 'not_found');
	is $carol->get("/invites/$foreign")->status, 200, 'is as it was';
	$bob->delete("/groups/$other");
	refused('of a dissolved group', $carol->get("/invites/$foreign"), 404, 'not_found');
	refused('nor joined by it', $carol->post("/invites/$foreign", {}), 404, 'not_found');
};

subtest 'who may' => sub {
	my $code = invite($bob, $id);
	$alice->put("/groups/$id", {settings => {add => 'admins'}});
	refused("a member, where admins add: $_->[0]", $bob->request(@$_), 403, 'forbidden') for ['POST', "/groups/$id/invites", json => {}], ['GET', "/groups/$id/invites"], ['DELETE', "/groups/$id/invites/$code"];
	is $alice->delete("/groups/$id/invites/$code")->status, 204, 'the owner';
	$alice->put("/groups/$id", {settings => {add => 'all'}});
	my $left = $t->dbh->selectrow_array('SELECT COUNT(*) FROM group_invites WHERE conversation_id = ? AND (expires_at IS NULL OR expires_at > UTC_TIMESTAMP(3)) AND (max_uses IS NULL OR uses < max_uses)', undef, $id);
	is scalar(grep { $alice->post("/groups/$id/invites", {})->status != 201 } $left + 1 .. 100), 0, 'up to a hundred at once';
	refused('one more', $alice->post("/groups/$id/invites", {}), 409, 'conflict', qr/invites/);
	is scalar(@{$alice->get("/groups/$id/invites")->json->{items}}), 100, 'the list has all';
	$t->dbh->do('DELETE FROM group_invites WHERE conversation_id = ?', undef, $id);
	my $mine = invite($bob, $id);
	$alice->delete("/groups/$id/members/bob");
	refused('by the invite of who was removed', $bob->post("/invites/$mine", {}), 404, 'not_found');
	refused('nobody else comes in either', $carol->post("/invites/$mine", {}), 404, 'not_found');
	is_deeply $alice->post("/groups/$id/members", {user_ids => ['bob']})->json->{added}, ['bob'], 'who comes back when added';
};

subtest 'bans and limits' => sub {
	my $code = invite($bob, $id);
	$alice->delete("/groups/$id/members/erin?ban=true");
	refused('a banned user: ' . $_, $erin->request($_, "/invites/$code"), 403, 'forbidden') for qw(GET POST);
	$alice->delete("/groups/$id/bans/erin");
	is $t->api("g$_")->post("/invites/$code", {})->status, 200, "g$_ joins" for 1 .. 4;
	refused('a full group', $carol->post("/invites/$code", {}), 409, 'group_full');
	is $bob->post("/invites/$code", {})->status, 200, 'whose members are answered still';
	$t->api("g$_")->delete("/groups/$id/members/g$_") for 1 .. 4;
	$t->group('carol', []) for 1 .. 6;
	refused('a user in too many', $carol->post("/invites/$code", {}), 409, 'too_many_groups');
	is ((grep { $_->{code} eq $code } @{$alice->get("/groups/$id/invites")->json->{items}})[0]{uses}, 4, 'refusals are no uses');
};

subtest 'many at once' => sub {
	my $code = invite($bob, $id, max_uses => 3);
	my @http = map { $t->http("h$_") } 1 .. 8;
	$_->send_request('POST', "/invites/$code", json => {}) for @http;
	my %n;
	$n{$_->response->status}++ for @http;
	is_deeply \%n, {200 => 3, 404 => 5}, 'as many as it is good for';
	is $alice->get("/groups/$id")->json->{group}{member_count}, 5, 'are in';
	is $t->dbh->selectrow_array('SELECT COUNT(*) FROM members WHERE conversation_id = ?', undef, $id), 5, 'each once';
	$alice->delete("/groups/$id/members/h$_") for 1 .. 8;
};

subtest 'open groups' => sub {
	refused('a group by invitation', $dave->post("/groups/$id/join", {}), 404, 'not_found');
	$alice->put("/groups/$id", {settings => {join => 'open'}});
	my $r = $dave->post("/groups/$id/join", {});
	is $r->status, 200, 'joined';
	is_shape $r->json, $GROUP, 'the conversation';
	is $dave->request('POST', "/groups/$id/join")->status, 200, 'again';
	is_deeply last_system($alice, $id), ['dave', 'joined', ['dave']], 'told once';
	$alice->delete("/groups/$id/members/dave?ban=true");
	refused('a banned user', $dave->post("/groups/$id/join", {}), 403, 'forbidden');
	$alice->delete("/groups/$id/bans/dave");
};

subtest 'approval' => sub {
	$alice->put("/groups/$id", {settings => {join => 'approval'}});
	my $seq = $alice->get("/messages/conversations/$id/messages?limit=1")->json->{items}[0]{seq};
	my $code = invite($bob, $id);
	my $r = $dave->post("/groups/$id/join", {});
	is_deeply [$r->status, $r->json], [202, {state => 'requested'}], 'asked for';
	is_deeply [$dave->post("/invites/$code", {})->status, $erin->post("/invites/$code", {})->status], [202, 202], 'with an invite, too, and again';
	refused('who waits is no member', $dave->get("/groups/$id"), 404, 'not_found');
	is $alice->get("/messages/conversations/$id/messages?limit=1")->json->{items}[0]{seq}, $seq, 'nobody is told yet';
	$r = $alice->get("/groups/$id/requests");
	is_shape $r->json, {items => [{user => $PROFILE, created_at => 'time'}], next_cursor => 'string?'}, 'those who wait';
	is_deeply [map { $_->{user}{user_id} } @{$r->json->{items}}], [qw(dave erin)], 'in order';
	is $alice->get("/groups/$id/requests?limit=1")->json->{next_cursor}, 'dave', 'page by page';
	refused('a member does not see them', $bob->get("/groups/$id/requests"), 403, 'forbidden');
	refused("nor decides: $_", $bob->put("/groups/$id/requests/dave/$_"), 403, 'forbidden') for qw(accept decline);
	refused('a stranger', $carol->put("/groups/$id/requests/dave/accept"), 404, 'not_found');
	my $wd = $t->ws('dave');
	$r = $alice->put("/groups/$id/requests/dave/accept");
	is_deeply [$r->status, $r->json->{user}{user_id}, $r->json->{role}], [200, 'dave', 'member'], 'accepted: the member' or diag($r->body);
	is $wd->expect('conversation')->{conversation}{id}, $id, 'who is told';
	is_deeply last_system($bob, $id), ['alice', 'added', ['dave']], 'and so are all';
	refused('accepted twice', $alice->put("/groups/$id/requests/dave/accept"), 404, 'not_found');
	is $alice->put("/groups/$id/requests/erin/decline")->status, 204, 'declined';
	refused('who asks nobody', $alice->put("/groups/$id/requests/nobody/$_"), 404, 'not_found') for qw(accept decline);
	is_deeply $alice->get("/groups/$id/requests")->json->{items}, [], 'nobody waits';
	is $erin->post("/groups/$id/join", {})->status, 202, 'asking again';
	$alice->delete("/groups/$id/members/erin?ban=true");
	is_deeply $alice->get("/groups/$id/requests")->json->{items}, [], 'a ban takes the request';
	$wd->abort;
};

$t->stop;
done_testing;
