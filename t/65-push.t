# SPDX-License-Identifier: BSD-2-Clause
# Proves pushes to devices (contract, section 11), with services that are as real as a test can have them: who is told and who is
# not, what is shown, that it is withdrawn, what becomes of devices that are gone, that a service that fails is tried again and holds
# up no other, and that a relay that is killed loses nothing.
use Tidings;
use Tidings::Util qw(run slurp spew);
use HTTP::Tiny ();
use IPC::Open2 qw(open2);
use JSON::PP ();

my ($dir, $top) = (Tidings::dir(), Tidings::top());
my $json = JSON::PP->new->utf8;
sub made { my (@command) = @_; my ($status, undef, $err) = run($dir, @command); die "@command: $err" if $status; return }
my @p256 = qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256);
made(qw(openssl genpkey), @p256, '-out', "$dir/$_.pem") for qw(vapid apns tls);
made(qw(openssl genpkey -algorithm RSA -out), "$dir/google.pem");
made(qw(openssl req -x509 -new -subj /CN=services -days 2 -addext subjectAltName=IP:127.0.0.1 -key), "$dir/tls.pem", '-out', "$dir/tls.crt");
spew("$dir/pushes", '');
my $services = open2(my $said, undef, 'node', "$top/t/push/services.js", "$dir/tls.crt", "$dir/tls.pem", "$dir/pushes");
my ($port, $control) = <$said> =~ /(\d+) (\d+)/ or die "no services\n";
my $owner = $$;
END { kill 'TERM', $services if $services && $$ == $owner }
my $base = "https://127.0.0.1:$port";
spew("$dir/google.json", $json->encode({type => 'service_account', project_id => 'proj', client_email => 'push@proj.example', token_uri => "$base/token", private_key => slurp("$dir/google.pem")}));

my $t = Tidings->start(workers => 2, conf => {limits => {requests_per_second => 0}, relay => {vapid_key_file => "$dir/vapid.pem", webpush_subject => 'mailto:ops@example.org',
	fcm_credentials_file => "$dir/google.json", fcm_url => $base, apns_url => $base, apns_key_file => "$dir/apns.pem", apns_key_id => 'APPLEKEYID', apns_team_id => 'TEAM', apns_topic => 'org.example.chat',
	ca_file => "$dir/tls.crt", allow_private => 'true'}});
my $dbh = $t->dbh;

sub ask { my ($method, $path, $body) = @_; my $r = HTTP::Tiny->new->request($method, "http://127.0.0.1:$control$path", {content => $json->encode($body // {})}); die $r->{content} if !$r->{success}; return $json->decode($r->{content}) }
sub answer { my ($path, %how) = @_; ask('PUT', '/answer', {path => $path, %how}); return }
sub pushes { my ($path) = @_; return grep { index($_->{path}, $path) >= 0 } map { $json->decode($_) } split /\n/, slurp("$dir/pushes") }
sub device { my ($user, $id, %body) = @_; my $r = $t->api($user)->put("/devices/$id", \%body); is $r->status, 204, "$user has $id" or diag $r->body; return }
# A browser; the path by which it is told.
sub browser { my ($user, %more) = @_; my $s = ask('POST', '/subscription'); device($user, 'browser' . ($more{id} // ''), platform => 'webpush', subscription => $s->{subscription}, %{$more{more} // {}}); return $s->{path} }
# The next push at that path, once there are more than $n.
sub next_push {
	my ($path, $n, $name) = @_;
	my @all;
	wait_for($name // "a push to $path", sub { @all = pushes($path); @all > $n });
	is $all[$n]{fault}, undef, 'it can be read';
	return $all[$n];
}
my $fence = 0;
my $fence_path = browser('fence');
$t->befriend('alice', $_) for qw(fence bob carol dave erin frank gina henry);
# All that was due before is decided and sent: jobs are decided in the order in which they are due, some at a time.
sub settled {
	my ($name) = @_;
	$t->send_text('alice', 'fence', 'fence ' . ++$fence);
	next_push($fence_path, $fence - 1, $name // 'all that was due before');
	wait_for('what was decided with it to be sent', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM push_sends WHERE tries = 0') });
	return;
}

subtest 'to each platform' => sub {
	my $path = browser('bob', more => {locale => 'en'});
	device('bob', 'phone', platform => 'fcm', token => 'bobs-phone');
	device('bob', 'pad', platform => 'apns', token => 'b0' x 32, locale => 'zh-Hans');
	$t->api('alice')->put('/users/me', {nickname => 'Alice'});
	my $m = $t->send_text('alice', 'bob', "Hi \x{4f60}\x{597d} \"you\"");
	my $want = {kind => 'message', title => 'Alice', body => "Hi \x{4f60}\x{597d} \"you\"", badge => 1, conversation_id => $m->{conversation_id}, message_id => $m->{id}};
	my $push = next_push($path, 0);
	is_deeply $push->{payload}, $want, 'Web Push: as the contract has it';
	is_deeply [@{$push->{headers}}{qw(ttl urgency content-encoding topic)}], [86400, 'high', 'aes128gcm', "c-$m->{conversation_id}"], 'its headers';
	is_deeply [@{$push->{vapid}}{qw(aud sub k)}], [$base, 'mailto:ops@example.org', $t->api('bob')->get('/devices/vapid')->json->{public_key}], 'signed for the service';
	cmp_ok abs($push->{vapid}{exp} - time - 12 * 3600), '<', 9 * 3600, 'for some hours';
	my $fcm = next_push('/v1/projects/proj/messages:send', 0);
	my $message = $fcm->{payload}{message};
	is_deeply [$message->{token}, $message->{notification}, $message->{data}, $message->{android}{collapse_key}], ['bobs-phone', {title => 'Alice', body => $want->{body}}, {kind => 'message', badge => '1', conversation_id => $m->{conversation_id}, message_id => $m->{id}}, "c-$m->{conversation_id}"], 'FCM';
	like $fcm->{headers}{authorization}, qr/\ABearer google-\d+\z/, 'with the token of Google';
	like +(pushes('/token'))[0]{body}, qr/\Agrant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=[\w.-]+\z/, 'that was asked for';
	my $apns = next_push('/3/device/' . 'b0' x 32, 0);
	is_deeply [@{$apns->{payload}{aps}}{qw(alert badge)}, $apns->{payload}{message_id}], [{title => 'Alice', body => $want->{body}}, 1, $m->{id}], 'APNs';
	is_deeply [@{$apns->{headers}}{qw(apns-topic apns-push-type apns-priority apns-collapse-id)}], ['org.example.chat', 'alert', '10', "c-$m->{conversation_id}"], 'its headers';
	like $apns->{headers}{authorization}, qr/\Abearer [\w-]+\.[\w-]+\.[\w-]+\z/, 'with a token of ours';
	wait_for('nothing to be left', sub { !$dbh->selectrow_array('SELECT (SELECT COUNT(*) FROM push_jobs) + (SELECT COUNT(*) FROM push_sends)') });
	is scalar(pushes($path)), 1, 'once';
	# Read on another device.
	is $t->api('bob')->put("/messages/conversations/$m->{conversation_id}/read")->status, 200, 'it is read elsewhere';
	is_deeply next_push($path, 1)->{payload}, {kind => 'read', title => '', body => '', badge => 0, conversation_id => $m->{conversation_id}, message_id => undef}, 'and withdrawn from the browser';
	is_deeply next_push('/v1/projects', 1)->{payload}{message}{data}, {kind => 'read', badge => '0', conversation_id => $m->{conversation_id}}, 'from the phone';
	my $silent = next_push('/3/device/' . 'b0' x 32, 1);
	is_deeply [$silent->{payload}{aps}, $silent->{payload}{badge}, @{$silent->{headers}}{qw(apns-push-type apns-priority)}], [{'content-available' => 1}, 0, 'background', '5'], 'and from the pad, silently';
};

subtest 'many messages are one push' => sub {
	my $path = browser('carol');
	$t->send_text('alice', 'carol', "text $_") for 1 .. 5;
	is_deeply [@{next_push($path, 0)->{payload}}{qw(body badge)}], ['text 5', 5], 'the newest one, and all are counted';
	settled();
	is scalar(pushes($path)), 1, 'one';
};

subtest 'who is not told' => sub {
	my %path = map { $_ => browser($_) } qw(dave erin frank gina);
	my $ws = $t->ws('dave');
	my $alice = $t->api('alice');
	my $before = $t->send_text('alice', 'erin', 'before');
	next_push($path{erin}, 0);
	$t->api('erin')->put("/messages/conversations/$before->{conversation_id}/settings", {muted_until => '2100-01-01T00:00:00Z'});
	$t->api('frank')->put('/users/me/settings', {dnd => {from => '00:00', to => '23:59', zone => 'UTC'}}) if (gmtime)[2] * 60 + (gmtime)[1] < 1430;
	$t->send_text('alice', $_, 'psst') for qw(dave erin frank);
	my $m = $t->send_text('alice', 'gina', 'gone');
	$alice->put("/messages/$m->{id}/recall");
	settled();
	is scalar(pushes($path{dave})), 0, 'who has a session';
	is scalar(pushes($path{erin})), 1, 'who has muted the conversation';
	is scalar(pushes($path{frank})), 0, 'who does not want to be disturbed' if (gmtime)[2] * 60 + (gmtime)[1] < 1430;
	is scalar(pushes($path{gina})), 0, 'of what was recalled';
	$t->send_text('alice', 'erin', '@erin', mentions => ['erin']);
	my $push = next_push($path{erin}, 1);
	is_deeply [@{$push->{payload}}{qw(kind body)}], ['mention', 'Alice mentioned you: @erin'], 'a mention passes a mute';
	$t->api('erin')->put("/messages/conversations/$before->{conversation_id}/settings", {mute_mentions => JSON::PP::true()});
	$t->send_text('alice', 'erin', '@erin again', mentions => ['erin']);
	settled();
	is scalar(pushes($path{erin})), 2, 'unless mentions are muted, too';
	$ws->abort;
};

subtest 'without preview, in Chinese' => sub {
	my $path = browser('henry', more => {locale => 'zh_CN'});
	$t->api('henry')->put('/users/me/settings', {push_preview => JSON::PP::false()});
	$t->send_text('alice', 'henry', 'secret');
	my $push = next_push($path, 0);
	is_deeply [@{$push->{payload}}{qw(kind title body badge)}], ['message', "\x{65b0}\x{6d88}\x{606f}", '', 1], 'no content, no name';
	$t->api('henry')->put('/users/me/settings', {push_preview => JSON::PP::true()});
	$t->api('stranger')->post('/friends/requests', {user_id => 'henry'});
	is_deeply [@{next_push($path, 1)->{payload}}{qw(kind title body)}], ['friend_request', "\x{65b0}\x{7684}\x{597d}\x{53cb}\x{8bf7}\x{6c42}", "stranger\x{60f3}\x{52a0}\x{4f60}\x{4e3a}\x{597d}\x{53cb}"], 'a friend request';
	$t->http(undef, token => $t->token('module', scope => 'notify'))->post('/notifications', {user_id => 'henry', kind => 'moment_comment', body => 'nice'});
	my @all;
	wait_for('a notification', sub { @all = grep { $_->{payload}{kind} eq 'notification' } pushes($path); @all });
	is_deeply [@{$all[0]{payload}}{qw(title body conversation_id)}], ["\x{65b0}\x{901a}\x{77e5}", 'nice', undef], 'a notification';
};

subtest 'in a group' => sub {
	my %path = map { $_ => browser($_, id => 2) } qw(bob carol alice);
	my $group = $t->group('alice', [qw(bob carol dave)], name => 'Trip');
	my $id = ref $group ? $group->{id} : $group;
	my $n = pushes($path{bob});
	my $r = $t->api('bob')->post('/messages/send', {conversation_id => "$id", message_type => 'text', content => 'who comes?'});
	is $r->status, 201, 'sent' or diag $r->body;
	my $push;
	wait_for('carol to be told', sub { ($push) = grep { ($_->{payload}{conversation_id} // '') eq $id } pushes($path{carol}) });
	is_deeply [@{$push->{payload}}{qw(kind title body message_id)}], ['message', 'Trip', 'Bob: who comes?', $r->json->{id}], 'who is a member';
	wait_for('alice to be told', sub { grep { ($_->{payload}{conversation_id} // '') eq $id } pushes($path{alice}) });
	is scalar(grep { ($_->{payload}{conversation_id} // '') eq $id } pushes($path{bob})), 0, 'not the sender';
	my $unread = $t->api('carol')->get('/messages/unread-count')->json->{unread_count};
	is $push->{payload}{badge}, $unread, 'the badge is all that is unread';
	$t->api('carol')->put("/messages/conversations/$id/read");
	my @read;
	wait_for('it to be withdrawn', sub { @read = grep { $_->{payload}{kind} eq 'read' && $_->{payload}{conversation_id} eq $id } pushes($path{carol}) });
	is $read[0]{payload}{badge}, $unread - 1, 'with the new badge';
	my $of = sub { my ($user, $kind) = @_; return grep { $_->{payload}{kind} eq $kind && ($_->{payload}{conversation_id} // '') eq $id } pushes($path{$user}) };
	settled();
	is scalar($of->('alice', 'read')), 0, 'from who has read it alone';
	$r = $t->api('bob')->post('/messages/send', {conversation_id => "$id", message_type => 'text', content => 'nobody?'});
	for my $user (qw(alice carol)) {
		wait_for("$user to be told once more", sub { grep { $_->{payload}{message_id} eq $r->json->{id} } $of->($user, 'message') });
	}
	my $withdrawn = $of->('carol', 'read');
	is $t->api('bob')->put('/messages/' . $r->json->{id} . '/recall')->status, 200, 'it is recalled';
	wait_for('it to be withdrawn from alice', sub { $of->('alice', 'read') });
	wait_for('and from carol', sub { $of->('carol', 'read') > $withdrawn });
	pass 'what is recalled is withdrawn';
	$r = $t->api('bob')->post('/messages/send', {conversation_id => "$id", message_type => 'text', content => 'bye'});
	wait_for('carol to be told of the last one', sub { grep { $_->{payload}{message_id} eq $r->json->{id} } $of->('carol', 'message') });
	$withdrawn = $of->('carol', 'read');
	cmp_ok $t->api('carol')->delete("/groups/$id/members/carol")->status, '<', 300, 'she leaves';
	wait_for('what is shown to go', sub { $of->('carol', 'read') > $withdrawn });
	pass 'what is of a group that was left is withdrawn';
};

subtest 'one message that is read' => sub {
	$t->befriend('alice', 'quinn');
	my $path = browser('quinn');
	my $m = $t->send_text('alice', 'quinn', 'hi');
	next_push($path, 0);
	is $t->api('quinn')->put("/messages/$m->{id}/read")->status, 200, 'by itself';
	is_deeply [@{next_push($path, 1)->{payload}}{qw(kind badge conversation_id)}], ['read', 0, $m->{conversation_id}], 'is withdrawn';
};

subtest 'what is withdrawn from one who is told nothing' => sub {
	$t->befriend('alice', 'wim');
	my $path = browser('wim');
	my $shown = $t->send_text('alice', 'wim', 'a secret');
	next_push($path, 0);
	my $minute = (gmtime)[2] * 60 + (gmtime)[1];
	my ($from, $to) = map { sprintf '%02d:%02d', int($_ % 1440 / 60), $_ % 60 } $minute + 1380, $minute + 120;
	is $t->api('wim')->put('/users/me/settings', {dnd => {from => $from, to => $to, zone => 'UTC'}})->status, 200, "not to be disturbed from $from to $to";
	# One job: what is due is not looked at meanwhile.
	$dbh->do('INSERT INTO push_jobs (user_id, conversation_id, message_id, since, due_at) VALUES (?, ?, 1, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL 1 HOUR)', undef, 'wim', $shown->{conversation_id});
	my $next = $t->send_text('alice', 'wim', 'at night');
	is $t->api('alice')->put("/messages/$shown->{id}/recall")->status, 200, 'what is shown is recalled';
	wait_for('both to be noted', sub { $dbh->selectrow_array("SELECT COUNT(*) FROM push_jobs WHERE user_id = 'wim' AND message_id = ? AND version > 2", undef, $next->{id}) });
	$dbh->do("UPDATE push_jobs SET due_at = UTC_TIMESTAMP(3) WHERE user_id = 'wim'");
	is_deeply [@{next_push($path, 1)->{payload}}{qw(kind conversation_id)}], ['read', $shown->{conversation_id}], 'and is taken away';
};

subtest 'many at once' => sub {
	# More than are looked at together. Some names are the beginning of others, some users have several conversations, some
	# are told of what is not the newest, or of nothing. And the database is so slow that all together are not noted before the relay gives
	# up waiting: it has to take fewer.
	$dbh->do('CREATE TRIGGER slow BEFORE INSERT ON push_sends FOR EACH ROW DO SLEEP(0.08)');
	my @users = map { ('z' x (1 + $_ % 12)) . ($_ > 11 ? $_ : '') } 0 .. 239;
	my (%want, @jobs, %row, $shown);
	my ($c, $now) = (1 << 30, 'UTC_TIMESTAMP(3)');
	my $minute = (gmtime)[2] * 60 + (gmtime)[1];
	my $message = sub { my ($from, $to, $seq, $text, %more) = @_; my $id = ($c << 28) + $seq;
		push @{$row{'messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at, is_recalled)'}}, "($id, '$from', '$to', 0, '$text', '$id', $now, " . ($more{recalled} ? 1 : 0) . ')'; return };
	my $conversation = sub { my ($from, $to, $last, $unread) = @_; push @{$row{'conversations (id, user1_id, user2_id, last_seq, user2_unread, sort_time, created_at)'}}, "($c, '$from', '$to', $last, $unread, $now, $now)";
		push @jobs, "('$to', $c, " . (($c << 28) + $last) . ", $now, $now)"; return };
	for my $i (0 .. $#users) {
		my ($user, $kind) = ($users[$i], $i % 10);
		push @{$row{'users (id, nickname)'}}, "('$user', '$user')";
		push @{$row{'devices (user_id, id, login_id, platform, token, token_hash, app, created_at, used_at)'}}, "('$user', 'phone', 0, 2, 'many-$user', UNHEX(SHA2('$user', 256)), 'app', $now, $now)";
		$c++;
		$message->('alice', $user, 1, "first to $user");
		$message->('alice', $user, 2, "second to $user", recalled => $kind == 2);
		push @{$row{'mentions (user_id, conversation_id, seq, at)'}}, "('$user', $c, 1, $now)" if $kind == 1;
		# Told nothing of alice: 3, 4, 5. Nothing at all: 6, 7.
		push @{$row{'conversation_settings (user_id, conversation_id, muted_until, changed_at)'}}, "('$user', $c, $now + INTERVAL 1 DAY, $now)" if $kind == 3;
		push @{$row{'blocks (user_id, blocked_id)'}}, "('$user', 'alice')" if $kind == 4;
		push @{$row{'friendships (user_id, friend_id, blocked)'}}, "('$user', 'alice', 1)" if $kind == 5;
		push @{$row{'user_states (user_id, disabled, changed_at)'}}, "('$user', 1, $now)" if $kind == 6;
		push @{$row{'push_settings (user_id, dnd_from, dnd_to, dnd_zone)'}}, "('$user', " . ($minute + 1380) % 1440 . ', ' . ($minute + 120) % 1440 . ", 'UTC')" if $kind == 7;
		my $unread = $kind == 2 ? 1 : 2;
		$conversation->('alice', $user, 2, $unread);
		my @told = $kind >= 3 && $kind <= 5 ? () : ([$kind == 1 ? 'mention' : 'message', $c, $kind == 1 ? "Alice mentioned you: first to $user" : $kind == 2 ? "first to $user" : "second to $user"]);
		if ($i % 5 == 0) {
			$c++;
			$message->('bob', $user, 1, "bob to $user");
			$conversation->('bob', $user, 1, 1);
			push @told, ['message', $c, "bob to $user"];
			$unread++;
		}
		if ($i % 7 == 0) {
			push @{$row{'notifications (id, user_id, kind, body, created_at)'}}, '(' . (($c << 20) + 1) . ", '$user', 'test', 'note to $user', $now + INTERVAL 1 SECOND)";
			push @jobs, "('$user', 0, 0, $now, $now)";
			push @told, ['notification', undef, "note to $user"];
		}
		next if $kind == 6 || $kind == 7;
		$shown += grep { defined $_->[1] } @told;
		$want{$user} = [sort map { join ' ', $_->[0], $_->[1] // 'none', $unread, $_->[2] } @told] if @told;
	}
	$dbh->do("INSERT INTO $_ VALUES " . join ',', @{$row{$_}}) for sort keys %row;
	$dbh->do('INSERT INTO push_jobs (user_id, conversation_id, message_id, since, due_at) VALUES ' . join ',', @jobs);
	wait_for('all to be told', sub { !$dbh->selectrow_array("SELECT (SELECT COUNT(*) FROM push_jobs WHERE user_id LIKE 'z%') + (SELECT COUNT(*) FROM push_sends WHERE user_id LIKE 'z%')") });
	my %got;
	for (map { $_->{payload}{message} } pushes('/v1/projects/proj/messages:send')) {
		my ($user) = ($_->{token} // '') =~ /\Amany-(.*)\z/ or next;
		$got{$user}{join ' ', $_->{data}{kind}, $_->{data}{conversation_id} || 'none', $_->{data}{badge}, $_->{notification}{body}} = 1; # some perhaps twice
	}
	is_deeply {map { $_ => [sort keys %{$got{$_}}] } keys %got}, \%want, 'each is told what is theirs, with their badge';
	is $dbh->selectrow_array("SELECT COUNT(*) FROM push_shown WHERE user_id LIKE 'z%'"), $shown, 'and what they show is known';
	ok $t->node->log_like(qr/no answer in time/), '(all together were too much)';
	$dbh->do('DROP TRIGGER slow');
};

subtest 'the badge of a user with 5,000 groups' => sub {
	# In each of them three messages do not count, too far apart for the head to tell.
	my $path = browser('pia');
	$t->befriend('alice', 'pia');
	my ($group, $now) = ((1 << 34) + (1 << 20), 'UTC_TIMESTAMP(3)');
	$dbh->do("INSERT INTO group_heads (id, last_seq, uncounted_seq, member_count, sort_time, active_at, created_at) SELECT $group + seq, 200, 129, 1, $now, $now, $now FROM seq_1_to_5000");
	$dbh->do("INSERT INTO members (user_id, conversation_id, role, joined_seq, first_seq, read_seq, joined_at) SELECT 'pia', $group + seq, 3, 1, 1, 0, $now FROM seq_1_to_5000");
	$dbh->do("INSERT INTO uncounted (conversation_id, block, bits) SELECT $group + g.seq, b.seq, 2 FROM seq_1_to_5000 g JOIN seq_0_to_2 b");
	$t->send_text('alice', 'pia', 'hi');
	is next_push($path, 0)->{payload}{badge}, 5000 * 197 + 1, 'is all that is unread';
	cmp_ok $dbh->selectrow_array("SELECT MAX(ends_at) > $now FROM relay_leases"), '==', 1, 'and the relay leads still';
	$dbh->do("DELETE FROM $_ WHERE conversation_id > $group") for qw(members uncounted);
	$dbh->do("DELETE FROM group_heads WHERE id > $group");
};

subtest 'what hides no other message' => sub {
	my $path = browser('rosa');
	my ($alice, $bob) = map { $t->api($_) } qw(alice bob);
	$t->befriend('alice', 'rosa');
	my $group = $t->group('alice', [qw(bob rosa)], name => 'Choir');
	my $id = ref $group ? $group->{id} : $group;
	my $say = sub { my ($by, $text, %more) = @_; my $r = $by->post('/messages/send', {conversation_id => "$id", message_type => 'text', content => $text, %more}); is $r->status, 201, $text or diag $r->body; return $r->json->{id} };
	$t->api('rosa')->put('/users/bob/block');
	$say->($alice, 'at seven');
	$say->($bob, 'at eight');
	is next_push($path, 0)->{payload}{body}, 'Alice: at seven', 'one of a user who is blocked';
	$say->($alice, 'bring a book');
	my $mention = $say->($alice, '@rosa', mentions => ['rosa']);
	is $alice->put("/messages/$mention/recall")->status, 200, 'it is recalled';
	is_deeply [@{next_push($path, 1)->{payload}}{qw(kind body)}], ['message', 'Alice: bring a book'], 'a mention that was recalled';
	my $last = $say->($alice, 'never mind');
	is $alice->put("/messages/$last/recall")->status, 200, 'recalled, too';
	settled();
	is scalar(pushes($path)), 2, 'and nothing is shown twice in its place';
};

subtest 'what was done long ago' => sub {
	$t->befriend('alice', 'uma');
	my $m = $t->send_text('alice', 'uma', 'before she has a device');
	settled();
	my $path = browser('uma');
	my $row = sub { my ($stream, $hours) = @_; return $dbh->do("INSERT INTO outbox (stream, n, at, items) VALUES ($stream, 1, UTC_TIMESTAMP(3) - INTERVAL $hours HOUR, CONCAT('s', UNHEX(LPAD(HEX($m->{id}), 16, '0'))))") };
	$row->(1, 25);
	wait_for('the row to be read', sub { $dbh->selectrow_array("SELECT COUNT(*) FROM outbox_done WHERE consumer = 'device' AND stream = 1") });
	settled();
	is scalar(pushes($path)), 0, 'is told to nobody after a day';
	$row->(2, 23);
	is next_push($path, 0)->{payload}{message_id}, $m->{id}, 'and before that it is';
};

subtest 'devices that are gone' => sub {
	my %status = (404 => 'ivan', 410 => 'judy');
	for my $status (sort keys %status) {
		my $user = $status{$status};
		$t->befriend('alice', $user);
		my $path = browser($user);
		answer($path, status => $status);
		$t->send_text('alice', $user, 'hi');
		next_push($path, 0);
		wait_for("$status to remove the device", sub { !@{$t->api($user)->get('/devices')->json->{items}} });
	}
	$t->befriend('alice', 'kate');
	device('kate', 'phone', platform => 'fcm', token => 'kates-phone');
	device('kate', 'pad', platform => 'apns', token => 'ca' x 32);
	answer('/v1/projects', status => 400, times => 1, body => $json->encode({error => {code => 400, details => [{errorCode => 'UNREGISTERED'}]}}));
	answer('/3/device/' . 'ca' x 32, status => 400, body => '{"reason":"BadDeviceToken"}');
	$t->send_text('alice', 'kate', 'hi');
	wait_for('both to be removed', sub { !@{$t->api('kate')->get('/devices')->json->{items}} });
	pass 'UNREGISTERED and BadDeviceToken';
};

subtest 'a service that fails' => sub {
	$t->befriend('alice', $_) for qw(liam mona nina);
	my %path = map { $_ => browser($_) } qw(liam mona nina);
	answer($path{liam}, status => 500, times => 2, body => '<html>');
	answer($path{mona}, status => 429, times => 1, headers => {'retry-after' => '5'});
	answer($path{nina}, status => 400, body => "\xff garbage");
	$t->send_text('alice', $_, 'hi') for qw(liam mona nina);
	my @liam;
	wait_for('the third try', sub { @liam = pushes($path{liam}); @liam >= 3 });
	is_deeply [map { $_->{answered} } @liam[0 .. 2]], [500, 500, 201], 'it is tried again';
	cmp_ok $liam[1]{at} - $liam[0]{at}, '>=', 990, 'a second later';
	cmp_ok $liam[2]{at} - $liam[1]{at}, '>=', 1990, 'then two';
	my @mona;
	wait_for('the second try', sub { @mona = pushes($path{mona}); @mona >= 2 });
	cmp_ok $mona[1]{at} - $mona[0]{at}, '>=', 4990, 'Retry-After is obeyed';
	is scalar(pushes($path{nina})), 1, 'what is refused is not';
	is scalar(@{$t->api('nina')->get('/devices')->json->{items}}), 1, 'and costs no device';
	my $tokens = pushes('/token');
	device('liam', 'phone', platform => 'fcm', token => 'liams-phone');
	answer('/v1/projects', status => 401, times => 1, body => '{}');
	my $sends = pushes('/v1/projects');
	$t->send_text('alice', 'liam', 'again');
	next_push('/v1/projects', $sends + 1, 'FCM after a token that it does not take');
	cmp_ok scalar(pushes('/token')), '>', $tokens, 'with a new token';
};

subtest 'a service that hangs' => sub {
	$t->befriend('alice', 'olga');
	my $path = browser('olga');
	device('olga', 'phone', platform => 'fcm', token => 'olgas-phone');
	answer('/v1/projects', hang => JSON::PP::true(), times => 1);
	my $sends = pushes('/v1/projects');
	$t->send_text('alice', 'olga', 'hi');
	next_push($path, 0, 'the browser, while FCM hangs');
	my @fcm;
	wait_for('FCM to be tried again', sub { @fcm = pushes('/v1/projects'); @fcm > $sends + 1 });
	is_deeply [map { $_->{answered} } @fcm[$sends, $sends + 1]], [0, 200], 'after its time is up';
};

subtest 'a host that hangs' => sub {
	$t->befriend('alice', $_) for qw(paul sara tina);
	my %path = map { $_ => browser($_) } qw(paul sara tina);
	answer($path{paul}, hang => JSON::PP::true(), times => 1);
	answer($path{tina}, status => 201, unended => JSON::PP::true(), times => 1);
	$t->send_text('alice', $_, 'hi') for qw(paul tina);
	next_push($path{$_}, 0) for qw(paul tina);
	$t->send_text('alice', 'sara', 'hi');
	wait_for('both to be tried again', sub { pushes($path{paul}) > 1 && pushes($path{tina}) > 1 });
	my @seen = map { $json->decode($_) } split /\n/, slurp("$dir/pushes");
	my ($told) = grep { $seen[$_]{path} eq $path{sara} } 0 .. $#seen;
	my ($given_up) = grep { ($seen[$_]{closed} // '') eq $path{paul} } 0 .. $#seen;
	cmp_ok $told, '<', $given_up, 'others of its lane need not wait until it is given up';
	is_deeply [map { $_->{answered} } (pushes($path{tina}))[0, 1]], [201, 201], 'an answer that does not end is none';
};

subtest 'a relay that is killed' => sub {
	my $path = browser('bob', id => 'kill');
	my %seen;
	for my $round (1 .. 4) {
		my $m = $t->send_text('alice', 'bob', "round $round");
		# In each round somewhere else: before it is read, before it is decided, while it is sent.
		my $at = ('outbox', 'push_jobs', 'push_sends', 'push_jobs')[$round - 1];
		answer($path, hang => JSON::PP::true(), times => 1) if $at eq 'push_sends';
		wait_for("a row of $at", sub { $dbh->selectrow_array("SELECT COUNT(*) FROM $at") });
		$t->node->allow_deaths(1);
		my ($relay) = $t->node->relay_pids;
		kill 'KILL', $relay;
		wait_for("round $round", sub { %seen = map { ($_->{payload}{message_id} // '') => $_->{answered} } pushes($path); ($seen{$m->{id}} // 0) == 201 });
		pass "killed at $at: nothing is lost";
	}
};

subtest 'figures' => sub {
	my $text = $t->node->admin_http->get('/metrics')->body;
	like $text, qr/^tidings_pushes_total\{result="$_"\} [1-9]/m, "pushes: $_" for qw(sent retried device_gone);
	like $text, qr/^tidings_pushes_waiting \d+$/m, 'and what waits';
};

$t->stop;
done_testing;
