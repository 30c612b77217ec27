# SPDX-License-Identifier: BSD-2-Clause
# Proves that what was committed reaches everyone who is connected although the answer to COMMIT was lost and the
# database stayed away until the sender was refused: a message, a recall and a reading by their events, a friend request
# by a resync; and that a user who was added to a group by it is pushed its messages. What is looked at is what the sockets received.
use Tidings;
use Tidings::Proxy;
use JSON::PP ();

my $proxy = Tidings::Proxy->new(dir => Tidings::dir(), to => Tidings::stack()->mariadb_socket);
my $t = Tidings->start(workers => 1, conf => {mysql => {socket => $proxy->socket}, session => {policy => 'multi'}});
$t->befriend(qw(alice bob));
$t->dbh->do('INSERT INTO users (id) VALUES (?)', undef, 'carol');
my ($alice, $bob, $bob2) = ($t->ws('alice'), $t->ws('bob'), $t->ws('bob', claims => {device => 'phone'}));
my $first = $alice->request(type => 'send', %{text_to('bob', 'first')})->{message};
$_->expect('message') for $bob, $bob2;

# Asks, loses the answer to COMMIT, and waits until the asker was refused; then lets the database be found again.
sub lose {
	my ($ws, $pattern, %request) = @_;
	$proxy->lose($pattern);
	my $ref = $ws->start(%request);
	$proxy->lost;
	my $e = $ws->answer($ref);
	is "$e->{type} $e->{code}", 'error unavailable', "$request{type}: refused, for nobody knows";
	return;
}

sub back {
	$proxy->open;
	wait_for('the database', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	return;
}

subtest 'a message' => sub {
	my $text = text_to('bob', 'second', client_msg_id => 'second');
	lose($alice, 'INSERT INTO messages.*COMMIT\z', type => 'send', %$text);
	back();
	is $_->expect('message')->{message}{content}, 'second', "$_->{name} is pushed it" for $bob, $bob2;
	is $alice->expect('message')->{message}{client_msg_id}, 'second', 'and its sender, who has had no ack';
	my $again = $alice->request(type => 'send', %$text);
	is "$again->{type} " . ($again->{replayed} ? 'replayed' : 'new'), 'ack replayed', 'a retry finds it';
	is $again->{message}{seq}, 2, 'once';
};

subtest 'a retry while its outcome is unknown' => sub {
	my $text = text_to('bob', 'third', client_msg_id => 'third');
	lose($alice, 'INSERT INTO messages.*COMMIT\z', type => 'send', %$text);
	$proxy->open;
	my $again = wait_for('a retry', sub { my $e = $alice->request(type => 'send', %$text); $e->{type} eq 'ack' && $e });
	is $again->{message}{seq}, 3, 'is answered';
	is $_->expect('message')->{message}{content}, 'third', "$_->{name} is pushed it" for $bob, $bob2, $alice;
};

subtest 'a forward' => sub {
	my %body = (message_ids => [$t->send_text('alice', 'bob', 'fourth')->{id}], to => [{user_id => 'bob'}], comment => 'look', client_msg_id => 'forward');
	$_->expect('message') for $bob, $bob2, $alice;
	$proxy->lose('INSERT INTO messages.*COMMIT\z');
	my $http = $t->http('alice');
	$http->send_request(POST => '/messages/forward', json => \%body);
	$proxy->lost;
	is_deeply [map { $_->{error}{code} . ($_->{messages} // '') } @{$http->response->json->{results}}], ['unavailable'], 'its target failed, for nobody knows';
	back();
	is $_->expect('message')->{message}{content}, 'look', "$_->{name} is pushed what was stored" for $bob, $bob2, $alice;
	my ($again) = @{$t->http('alice')->post('/messages/forward', \%body)->json->{results}};
	is_deeply [map { $_->{content} } @{$again->{messages}}], ['look', 'fourth'], 'a retry goes on behind it';
	is $_->expect('message')->{message}{content}, 'fourth', "$_->{name} is pushed that" for $bob, $bob2, $alice;
};

# Of one whose outcome is found out later nobody is told twice, and who repeats it changes nothing.
for (
	['a reaction', 'UPDATE reactions=.*COMMIT\z', 'reaction', [react => emoji => 'x'], sub { $_[0]{added} && $_[0]{count} == 1 }],
	['a reaction taken back', 'DELETE x FROM reactions.*COMMIT\z', 'reaction', [unreact => emoji => 'x'], sub { !$_[0]{added} && !$_[0]{count} }],
	['an edit', 'UPDATE content=.*COMMIT\z', 'edited', [edit => content => 'another'], sub { $_[0]{message}{content} eq 'another' }],
) {
	my ($what, $pattern, $event, $asked, $is_right) = @$_;
	my ($type, @rest) = @$asked;
	subtest $what => sub {
		my @request = (type => $type, message_id => $first->{id}, @rest);
		lose($alice, $pattern, @request);
		back();
		my @told = map { $_->expect($event) } $bob, $bob2, $alice;
		ok $is_right->($_), 'all are told' for @told;
		is $alice->request(@request)->{type}, 'result', 'a repeat is answered';
	};
}

for (['a pin', PUT => 'INSERT INTO pins .*COMMIT\z', 1], ['a pin taken away', DELETE => 'DELETE FROM pins.*COMMIT\z', 0]) {
	my ($what, $method, $pattern, $pinned) = @$_;
	subtest $what => sub {
		my $http = $t->http('alice');
		$proxy->lose($pattern);
		$http->send_request($method, "/messages/$first->{id}/pin");
		$proxy->lost;
		is $http->response->status, 503, 'refused, for nobody knows';
		back();
		is !!$_->expect('pinned')->{pinned}, !!$pinned, "$_->{name} is told" for $bob, $bob2, $alice;
		is $t->api('alice')->request($method, "/messages/$first->{id}/pin")->status, 204, 'a repeat is answered';
	};
}

subtest 'a recall' => sub {
	lose($alice, 'UPDATE messages SET is_recalled.*COMMIT\z', type => 'recall', message_id => $first->{id});
	back();
	is $_->expect('recalled')->{message_id}, $first->{id}, "$_->{name} is told" for $bob, $bob2, $alice;
};

subtest 'a reading' => sub {
	lose($bob, 'INSERT INTO read_marks .*COMMIT\z', type => 'read', conversation_id => $first->{conversation_id});
	back();
	is $_->expect('read')->{up_to_seq}, 6, "$_->{name} is told" for $alice, $bob2, $bob;
};

subtest 'a friend request' => sub {
	my $carol = $t->http('carol');
	# COMMIT is a packet of its own there, and there is no other one now.
	$proxy->lose('\x03RELEASE SAVEPOINT whole;COMMIT\z');
	$carol->send_request(POST => '/friends/requests', json => {user_id => 'bob'});
	$proxy->lost;
	is $carol->response->status, 503, 'refused, for nobody knows';
	back();
	$_->expect('resync') for $bob, $bob2;
	is $t->api('bob')->get('/friends/requests')->json->{items}[0]{user}{user_id}, 'carol', 'and whoever catches up finds it';
};

subtest 'settings' => sub {
	my $path = "/messages/conversations/$first->{conversation_id}/settings";
	my $http = $t->http('bob');
	for ([{draft => 'half', marked_unread => JSON::PP::true}, $bob, $bob2], [{expires_in => 3600}, $alice, $bob, $bob2]) {
		my ($what, @told) = @$_;
		my ($names, $settings) = (join(' and ', sort keys %$what), sub { return $t->api('bob')->get($path =~ s{/settings}{}r)->json->{settings} });
		$proxy->lose('\x03RELEASE SAVEPOINT whole;COMMIT\z');
		$http->send_request(PUT => $path, json => $what);
		$proxy->lost;
		is $http->response->status, 503, "$names: refused, for nobody knows";
		back();
		$_->expect('resync') for @told;
		my $now = $settings->();
		is_deeply {map { $_ => $now->{$_} } keys %$what}, $what, 'and whoever catches up finds it';
		is $http->put($path, {map { $_ => undef } keys %$what})->status, 200, 'it can be undone';
		$_->expect('conversation') for @told;
	}
};

# Who came in is told to catch up, and is pushed what is said from then on.
subtest 'coming into a group' => sub {
	$t->befriend('zoe', $_) for qw(dora erik);
	my %ws = map { $_ => $t->ws($_) } qw(dora erik);
	my $id = $t->group('zoe', []);
	$t->api('zoe')->put("/groups/$id", {settings => {join => 'approval'}});
	is $t->api('erik')->post("/groups/$id/join")->status, 202, 'erik waits to be let in';
	my $lose = sub {
		my ($name, $method, $path, $body) = @_;
		my $http = $t->http('zoe');
		$proxy->lose('\x03RELEASE SAVEPOINT whole;COMMIT\z');
		$http->send_request($method => $path, $body ? (json => $body) : ());
		$proxy->lost;
		is $http->response->status, 503, "$name: refused, for nobody knows";
		back();
		return;
	};
	my $pushed = sub {
		my ($user, $group, $text) = @_;
		# Until the memberships are read again the user is told to catch up only.
		wait_for("$user to be pushed what is said", sub {
			$t->say('zoe', $group, $text);
			return eval { $ws{$user}->wait_event($text, sub { $_[0]{type} eq 'message' && ($_[0]{message}{content} // '') eq $text }, 1) };
		});
		return pass "$user is pushed what is said: $text";
	};
	$lose->('dora is added', POST => "/groups/$id/members", {user_ids => ['dora']});
	$ws{dora}->expect('resync');
	$pushed->('dora', $id, 'after adding');
	$lose->('erik is let in', PUT => "/groups/$id/requests/erik/accept");
	$ws{erik}->expect('resync');
	$pushed->('erik', $id, 'after letting in');
	$lose->('a new group', POST => '/groups', {name => 'new', user_ids => ['erik'], client_group_id => 'new'});
	$ws{erik}->expect('resync');
	$pushed->('erik', $t->api('zoe')->post('/groups', {name => 'new', user_ids => ['erik'], client_group_id => 'new'})->json->{id}, 'in the new one');
	$_->abort for values %ws;
};

# Nobody is left who could look for the message; the database comes back only afterwards.
subtest 'a node that leaves before it could find out' => sub {
	my $both = Tidings->start(workers => 1, nodes => 2, conf => {mysql => {socket => $proxy->socket}});
	$both->befriend(qw(alice bob));
	my ($here, $there) = ($both->ws('alice'), $both->ws('bob', node => 1));
	lose($here, 'INSERT INTO messages.*COMMIT\z', type => 'send', %{text_to('bob', 'left', client_msg_id => 'left')});
	ok !$there->queued('resync'), 'so far nobody was told';
	$both->node->stop;
	$there->expect('resync');
	$proxy->open;
	my $synced = wait_for('the database', sub {
		my $r = $both->http('bob', node => 1)->post('/messages/sync', {conversations => [], since => undef});
		$r->status == 200 && $both->http('bob', node => 1)->get('/messages/conversations')->json;
	});
	is $synced->{items}[0]{last_message}{content}, 'left', 'who is told to catch up finds it';
	$both->stop;
};

is_deeply [$t->recount_faults], [], 'all counters are right';
$_->settle for $alice, $bob, $bob2;
# Of a transaction that nobody is sure of, the relay may have them catch up as well.
is_deeply [map { my $w = $_; map { "$w->{name}: $_->{type}" } grep { $_->{type} ne 'resync' } $w->queued } $alice, $bob, $bob2], [], 'nobody was told anything twice';
$_->close for $alice, $bob, $bob2;
$t->stop;
$proxy->stop;
done_testing;
