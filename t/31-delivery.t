# SPDX-License-Identifier: BSD-2-Clause
# Proves what comes over the WebSocket with 1, 2 and 4 workers: every event with every field, to whom it belongs and to
# nobody else, exactly once, in order, whichever workers the two sides are on; and the answers to every request.
use Tidings;
use Tidings::Shape;

# Between each pair, whichever workers they got. The fence shows that nothing came twice: it travels the same way.
sub all_pairs {
	my ($t, $workers) = @_;
	my @users = map { "user$_" } 1 .. 2 * $workers + 1;
	$t->befriend(@users);
	my %ws = map { $_ => $t->ws($_) } @users;
	if ($workers > 1) {
		# A worker tells its figures once a second.
		wait_for('every worker to have some of them', sub { $workers == grep { $_->{websockets} } @{workers_of($t)} });
		pass 'every worker has some of them';
	}
	my %sent;
	for my $round (1 .. 5) {
		for my $from (@users) {
			for my $to (grep { $_ ne $from } @users) {
				$ws{$from}->start(type => 'send', %{text_to($to, "$from to $to, $round")});
				push @{$sent{$to}{$from}}, "$from to $to, $round";
			}
		}
	}
	for my $from (@users) {
		my @acks = map { $ws{$from}->expect('ack') } 1 .. 5 * (@users - 1);
		is scalar(grep { $_->{replayed} || $_->{message}{from_user_id} ne $from } @acks), 0, "$from: an ack each";
	}
	for my $from (@users) {
		$ws{$from}->start(type => 'send', %{text_to($_, 'fence')}) for grep { $_ ne $from } @users;
	}
	for my $to (@users) {
		my (%got, %seq, $bad);
		my $fences = 0;
		while ($fences < @users - 1) {
			my $m = $ws{$to}->expect('message')->{message};
			$bad++ if $m->{to_user_id} ne $to;
			$bad++ if $m->{seq} <= ($seq{$m->{from_user_id}} // 0);
			$seq{$m->{from_user_id}} = $m->{seq};
			if ($m->{content} eq 'fence') { $fences++ } else { push @{$got{$m->{from_user_id}}}, $m->{content} }
		}
		is_deeply \%got, $sent{$to}, "$to: everything once, each sender's in order";
		ok !$bad, 'for them alone, seq rising';
	}
	$_->close for values %ws;
	return;
}

sub workers_of {
	my ($t) = @_;
	my $w = $t->node->ctl_ok('--json', 'workers');
	return ref $w eq 'HASH' ? $w->{workers} : $w;
}

# Nothing else may be waiting; what was under way has come when the fence has.
sub quiet {
	my ($name, @ws) = @_;
	$_->settle for @ws;
	my @queued = map { my $ws = $_; map { "$ws->{name}: $_->{type}" } $ws->queued } @ws;
	is_deeply \@queued, [], $name;
	return;
}

sub events {
	my ($t) = @_;
	$t->befriend(qw(alice bob carol));
	my $a = $t->ws('alice', query => 'device=web', name => 'alice/web');
	my $a2 = $t->ws('alice', query => 'device=ios', name => 'alice/ios');
	my $b = $t->ws('bob', query => 'device=web', name => 'bob/web');
	my $b2 = $t->ws('bob', query => 'device=ios', name => 'bob/ios');
	my $c = $t->ws('carol');
	my @all = ($a, $a2, $b, $b2, $c);
	is_shape $a->hello, {type => 'string', user_id => 'string', session_id => 'string', server_time => 'time', heartbeat_ms => 'int'}, 'hello';
	is $a->hello->{user_id}, 'alice', 'says who one is';
	is $a->hello->{heartbeat_ms}, 30000, 'and how often it pings';
	isnt $a->session_id, $a2->session_id, 'sessions differ';

	my $ack = $a->request(type => 'send', ref => 'my ref', %{text_to('bob', 'hi', client_msg_id => 'm1')});
	is_shape $ack, {type => 'string', ref => 'string', message => $MESSAGE, replayed => 'bool'}, 'ack';
	is "$ack->{type} $ack->{ref} $ack->{replayed}", 'ack my ref 0', 'its ref; not replayed';
	my $m = $ack->{message};
	for my $ws ($a2, $b, $b2) {
		my $e = $ws->expect('message');
		is_shape $e, {type => 'string', message => $MESSAGE}, "message to $ws->{name}";
		is_deeply $e->{message}, $m, 'as acknowledged';
	}
	$ack = $a->request(type => 'send', %{text_to('bob', 'hi', client_msg_id => 'm1')});
	ok $ack->{replayed}, 'the same again: replayed';
	is_deeply $ack->{message}, $m, 'the stored message';
	my $rest = $t->send_text('bob', 'alice', 'by REST');
	is_deeply $_->expect('message')->{message}, $rest, "REST reaches $_->{name}, and nothing came between" for @all[0 .. 3];
	$a->send_json({type => 'send', %{text_to('bob', 'no ref')}});
	is $a->expect('ack')->{ref}, undef, 'an ack without a ref too';
	$_->expect('message') for $a2, $b, $b2;
	quiet('nothing to the one who sent, nothing to others', @all);

	my $typing = $a->request(type => 'typing', conversation_id => $m->{conversation_id});
	is_deeply $typing, {type => 'result', ref => $typing->{ref}}, 'typing: a bare result';
	is_deeply $_->expect('typing'), {type => 'typing', conversation_id => $m->{conversation_id}, user_id => 'alice'}, "typing to $_->{name}" for $b, $b2;

	my $r = $b->request(type => 'read', conversation_id => $m->{conversation_id}, up_to_seq => 1);
	is_deeply $r, {type => 'result', ref => $r->{ref}, conversation_id => $m->{conversation_id}, read_seq => 1, marked => 1, unread_count => 1}, 'read: as the REST call answers';
	for my $ws ($a, $a2, $b2) {
		my $e = $ws->expect('read');
		is_shape $e, {type => 'string', conversation_id => 'id', reader_id => 'string', up_to_seq => 'int', message_ids => 'object?', read_at => 'time'}, "read to $ws->{name}";
		is_deeply [@$e{qw(conversation_id reader_id up_to_seq message_ids)}], [$m->{conversation_id}, 'bob', 1, undef], 'what was read';
	}
	$b->request(type => 'read', conversation_id => $m->{conversation_id}, up_to_seq => 1);
	my $one = $t->send_text('alice', 'bob', 'read me alone');
	$_->expect('message') for $a, $a2, $b, $b2;
	$t->api('bob')->put("/messages/$one->{id}/read");
	for my $ws ($a, $a2, $b, $b2) {
		my $e = $ws->expect('read');
		is_deeply [@$e{qw(conversation_id reader_id up_to_seq message_ids)}], [$m->{conversation_id}, 'bob', undef, [$one->{id}]], "one message's read to $ws->{name}";
	}
	$t->api('bob')->put("/messages/$one->{id}/read");

	$r = $a->request(type => 'recall', message_id => $one->{id});
	is_shape $r, {type => 'string', ref => 'string', message => $MESSAGE}, 'recall: the message';
	ok $r->{message}{is_recalled}, 'recalled';
	for my $ws ($a2, $b, $b2) {
		my $e = $ws->expect('recalled');
		is_shape $e, {type => 'string', conversation_id => 'id', message_id => 'id', seq => 'int', change_seq => 'int', recalled_at => 'time'}, "recalled to $ws->{name}";
		is_deeply [@$e{qw(conversation_id message_id seq recalled_at)}], [$m->{conversation_id}, $one->{id}, $one->{seq}, $r->{message}{recalled_at}], 'what was recalled';
	}
	$a->request(type => 'recall', message_id => $one->{id});
	$r = $b->request(type => 'delete', message_id => $m->{id});
	is_deeply $r, {type => 'result', ref => $r->{ref}}, 'delete: a bare result';
	is_deeply $b2->expect('deleted'), {type => 'deleted', conversation_id => $m->{conversation_id}, message_id => $m->{id}}, 'deleted, to the other session';
	$b->request(type => 'delete', message_id => $m->{id});
	$t->api('alice')->delete("/messages/$m->{id}");
	is $_->expect('deleted')->{message_id}, $m->{id}, "deleted by REST, to $_->{name}" for $a, $a2;

	$a->request(type => 'send', %{text_to('bob', 'fence')});
	$_->expect('message', sub { $_[0]{message}{content} eq 'fence' }) for $a2, $b, $b2;
	quiet('repeats make no events, nobody hears what is not theirs', @all);
	answers($t, $a, $m);
	quiet('errors make no events', @all);
	return;
}

# What a connection is told of its own mistakes; it stays open.
sub answers {
	my ($t, $a, $m) = @_;
	is_deeply $a->request(type => 'ping', ref => 'p'), {type => 'pong', ref => 'p'}, 'pong';
	$a->send_json({type => 'ping'});
	$a->expect('pong');
	my @bad = (
		[{type => 'send', %{text_to('nobody', 'x')}}, 'not_friends'],
		[{type => 'send', to_user_id => 'bob', message_type => 'text'}, 'invalid_argument', qr/content/],
		[{type => 'send', %{text_to('bob', 'other', client_msg_id => 'm1')}}, 'client_msg_id_reused'],
		[{type => 'read'}, 'invalid_argument', qr/conversation_id/],
		[{type => 'read', conversation_id => 5}, 'invalid_argument', qr/conversation_id/],
		[{type => 'read', conversation_id => '999999'}, 'not_found'],
		[{type => 'read', conversation_id => $m->{conversation_id}, up_to_seq => '1'}, 'invalid_argument', qr/up_to_seq/],
		[{type => 'recall'}, 'invalid_argument', qr/message_id/],
		[{type => 'recall', message_id => $m->{id} + 0}, 'invalid_argument', qr/message_id/],
		[{type => 'recall', message_id => '1'}, 'not_found'],
		[{type => 'delete', message_id => 'x'}, 'invalid_argument', qr/message_id/],
		[{type => 'delete', message_id => '1'}, 'not_found'],
		[{type => 'typing', conversation_id => '999999'}, 'not_found'],
		[{type => 'typing'}, 'invalid_argument', qr/conversation_id/],
		[{type => 'watch'}, 'invalid_argument', qr/user_ids/],
		[{type => 'watch', user_ids => 'bob'}, 'invalid_argument', qr/user_ids/],
		[{type => 'watch', user_ids => [7]}, 'invalid_argument', qr/user_ids/],
		[{type => 'watch', user_ids => [map { "u$_" } 1 .. 501]}, 'invalid_argument', qr/user_ids/],
		[{type => 'dance'}, 'invalid_argument', qr/\Atype:\ must\ be\ one\ of\ @{[map { "(?=.*\\b$_\\b)" } qw(send read delivered edit react unreact recall delete typing watch ping)]}/x],
		[{type => 7}, 'invalid_argument', qr/type/],
		[{}, 'invalid_argument', qr/type/],
	);
	for (@bad) {
		my ($request, $code, $detail) = @$_;
		my $e = $a->request(%$request);
		is_shape $e, {type => 'string', ref => 'string', code => 'string', detail => 'string'}, 'an error';
		is "$e->{type} $e->{code}", "error $code", JSON::PP->new->canonical->encode($request) =~ s/(.{60}).+/$1…/r;
		like $e->{detail}, $detail, 'the detail names it' if $detail;
	}
	for ('{', '[]', '"x"', '', '{"type":"ping","ref":7}', '{"type":"ping","ref":"' . 'x' x 65 . '"}') {
		$a->send_text($_);
		my $e = $a->next_event;
		is $e->{type}, 'error', 'an error for ' . substr $_, 0, 30;
		like $e->{code}, qr/^(malformed_json|invalid_argument)$/, 'its code';
	}
	is $a->request(type => 'ping', ref => 'x' x 64)->{ref}, 'x' x 64, 'a ref of 64';
	return;
}

# Many at once on one connection: the answers come in whatever order, each with its own ref.
sub in_flight {
	my ($t) = @_;
	$t->befriend(qw(fast slow));
	my ($f, $s) = ($t->ws('fast'), $t->ws('slow'));
	my %want;
	$want{$f->start(type => 'send', %{text_to('slow', "n$_")})} = "n$_" for 1 .. 300;
	my %got;
	for (1 .. 300) {
		my $e = $f->expect('ack');
		$got{$e->{ref}} = $e->{message}{content};
	}
	is_deeply \%got, \%want, '300 in the air, each answered once';
	my @seen = map { $s->expect('message')->{message} } 1 .. 300;
	is_deeply [map { $_->{seq} } @seen], [1 .. 300], 'delivered in the order of seq';
	is_deeply [map { $_->{content} } @seen], [map { "n$_" } 1 .. 300], 'which is the order they were sent in on one connection';
	return;
}

for_workers('delivery', {conf => {session => {policy => 'device'}}}, sub {
	my ($t, $workers) = @_;
	subtest 'events and answers' => sub { events($t) };
	subtest 'between all workers' => sub { all_pairs($t, $workers) };
	subtest 'many in flight' => sub { in_flight($t) };
});

done_testing;
