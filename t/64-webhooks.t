# SPDX-License-Identifier: BSD-2-Clause
# Proves webhooks (contract, section 11): what each event shows, that it is signed, that the events of a conversation come in
# order whichever node did them and whatever dies meanwhile, that what is refused is sent again, and that a webhook can be
# stopped, resumed and set back.
use Tidings;
use Tidings::Hook;
use Tidings::Spec;
use JSON::PP ();
use Digest::SHA qw(hmac_sha256_hex);
use IO::Socket::INET;
use Tidings::Util qw(free_port signal_and_reap slurp spawn);

my $SECRET = 'a secret of webhooks, with 32 bytes and more';
my $hook = Tidings::Hook->new(dir => Tidings::dir(), secret => $SECRET);
my @events = qw(message recalled edited read reaction group friend);
sub webhook { my ($path, %o) = @_; return {url => $hook->url($path), secret_file => $hook->secret_file, %o} }
my $t = Tidings->start(nodes => 2, conf => {relay => {allow_private => 'true', webhook => {
	all => webhook('/all', events => \@events), bulk => webhook('/bulk', batch => 100)}}});
my $dbh = $t->dbh;

sub rows { return map { $_->{name} => $_ } @{$dbh->selectall_arrayref('SELECT * FROM hooks', {Slice => {}})} }
sub listed { my ($name) = @_; my ($h) = grep { $_->{name} eq $name } @{$t->node->ctl_ok('--json', 'hooks', 'list')}; return $h }
sub wait_events {
	my ($what, $path, $n) = @_;
	my @events;
	wait_for("$what: $n events", sub { @events = $hook->events($path); @events >= $n });
	return @events;
}
# Time passes on both nodes.
sub pass_until {
	my ($what, $code) = @_;
	my @found;
	wait_for($what, sub { $_->clock(1) for $t->nodes; @found = $code->(); @found && $found[0] });
	return @found;
}
# Until all that has happened is delivered and noted, so that nothing of it can come again.
sub settle {
	pass_until("hook:$_ to be told of all", sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM outbox o WHERE NOT EXISTS (SELECT 1 FROM outbox_done d WHERE d.consumer = ? AND d.stream = o.stream AND d.n >= o.n)', undef, "hook:$_") }) for @_;
	return;
}
# The relay that leads has read that the webhook is not to be called.
sub pause {
	my ($name) = @_;
	my $said = sub { scalar grep { $_ eq $name } map { $_->log_text =~ /webhook (\w+): paused/g } $t->nodes };
	my $before = $said->();
	is $t->node->ctl_ok('hooks', 'pause', $name), '', "$name is paused";
	pass_until('it to be obeyed', sub { $said->() > $before });
	is listed($name)->{state}, 'paused', 'which the list says, too';
	return;
}
# With a token that is good for longer than the clocks are moved.
sub client { my ($user, $node) = @_; return $t->http($user, node => $node // 0, token => $t->token($user, exp => time + 1_000_000)) }
sub ids_are_unique { my %seen; return !grep { $seen{$_->{id}}++ } @_ }
sub shown { my ($m) = @_; my %m = %$m; delete @m{qw(is_read read_at)}; return \%m }
sub send_on { my ($node, $from, $to, $text) = @_; my $r = client($from, $node)->post('/messages/send', text_to($to, $text)); is $r->status, 201, "$text is sent" or diag($r->body); return $r->json }
sub kill_relays {
	for my $node ($t->nodes) {
		$node->allow_deaths(1);
		kill KILL => $node->relay_pids;
	}
	$dbh->do('UPDATE relay_leases SET ends_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND');
	return;
}

$t->befriend(qw(ann ben cat));
wait_for('the webhooks to be known', sub { 2 == keys %{{rows()}} });

subtest 'what each event shows' => sub {
	my ($ann, $ben) = map { client($_) } qw(ann ben);
	my $m = send_on(0, ann => ben => 'hello');
	my ($e) = wait_events('a message', '/all', 1);
	is_deeply [sort keys %$e], [qw(at data event id)], 'an event is that';
	is $e->{event}, 'message', 'of a message';
	is_deeply $e->{data}, {message => shown($m)}, 'shows it, but not who has read it';
	my ($request) = $hook->requests('/all');
	ok defined $hook->signed($request) && $hook->signed($request) < 60, 'is signed, just now' or diag($request->{signature});
	like $request->{head}, qr{^Content-Type: application/json\r?$}m, 'is JSON';
	is ref(JSON::PP->new->utf8->decode($request->{body})), 'HASH', 'and alone where batch is 1';
	wait_events('the other webhook', '/bulk', 1);
	my ($bulk) = $hook->requests('/bulk');
	is_deeply((JSON::PP->new->utf8->decode($bulk->{body}))->[0]{data}, $e->{data}, 'else in an array');

	my $n = 1;
	my $next = sub { my ($name) = @_; my @e = wait_events($name, '/all', ++$n); is $e[$n - 1]{event}, $name, $name; return $e[$n - 1]{data} };
	is $ben->put("/messages/conversations/$m->{conversation_id}/read")->status, 200, 'it is read';
	is_deeply $next->('read'), {conversation_id => $m->{conversation_id}, reader_id => 'ben', up_to_seq => 1}, 'tells who and up to where';
	is $ann->put("/messages/$m->{id}", {content => 'hello again'})->status, 200, 'it is edited';
	is $next->('edited')->{message}{content}, 'hello again', 'shows it as it is now';
	for my $did (['put', JSON::PP::true], ['delete', JSON::PP::false]) {
		my ($method, $added) = @$did;
		is $ben->$method("/messages/$m->{id}/reactions/%F0%9F%91%8D%F0%9F%8F%BD")->status, 200, "$method of a reaction";
		my $data = $next->('reaction');
		is_deeply [@$data{qw(user_id emoji added)}], ['ben', "\x{1F44D}\x{1F3FD}", $added], 'tells who and what';
		is $data->{message}{id}, $m->{id}, 'and of which message';
	}
	is $ann->put("/messages/$m->{id}/recall")->status, 200, 'it is recalled';
	my $recalled = $next->('recalled')->{message};
	ok $recalled->{is_recalled} && !defined $recalled->{content}, 'and without content';
	my $g = $ann->post('/groups', {name => 'g', user_ids => ['ben']});
	is $g->status, 201, 'a group is made' or diag($g->body);
	my $made = $next->('group')->{message};
	is_deeply [$made->{conversation_id}, $made->{seq}, $made->{extra}{event}], [$g->json->{id}, 1, 'created'], 'tells which, and how';
	is $ann->put('/groups/' . $g->json->{id}, {name => 'other'})->status, 200, 'its name is changed';
	is $next->('group')->{message}{extra}{event}, 'renamed', 'what happens to it is told likewise';
	is $ann->delete('/friends/cat')->status, 204, 'a friendship ends';
	is_deeply $next->('friend'), {action => 'end', user_id => 'ann', friend_id => 'cat'}, 'tells whose';
	ok ids_are_unique($hook->events('/all')), 'each has an id of its own';
	my $schemas = Tidings::Spec::closed_schemas();
	my $described = Tidings::Spec::deref($schemas->data, {'$ref' => '#/openapi/components/schemas/HookEvent'});
	is_deeply [map { $schemas->validate($_, $described) } $hook->events('/all')], [], 'and is as doc/openapi.yaml says';
	is scalar $hook->events('/bulk'), 1, 'the other webhook is told of messages alone';
};

# Is that anywhere in the memory that the process can write to?
sub remembers {
	my ($pid, $what) = @_;
	my $chunk = 1 << 20;
	open my $memory, '<:raw', "/proc/$pid/mem" or die "the memory of $pid: $!";
	for (grep { /^\S+ rw/ } split /\n/, slurp("/proc/$pid/maps")) {
		no warnings 'portable'; # of 64 bits
		my ($from, $to) = map { hex } /^([0-9a-f]+)-([0-9a-f]+) /;
		# The sanitizers reserve what nobody can fill.
		next if $to - $from > 1 << 26;
		my $before = '';
		for (my $at = $from; $at < $to; $at += $chunk) {
			my $bytes = '';
			sysseek $memory, $at, 0 or last;
			sysread $memory, $bytes, $to - $at < $chunk ? $to - $at : $chunk or last;
			return 1 if index("$before$bytes", $what) >= 0;
			$before = substr $bytes, -length $what;
		}
	}
	return 0;
}

subtest 'who knows the secret' => sub {
	my $node = $t->node;
	plan skip_all => 'the memory of other processes cannot be read' if !open my $memory, '<', "/proc/$node->{pid}/mem";
	ok !(grep { !remembers($_, $SECRET) } $node->{pid}, $node->relay_pids), 'the master, and the relay which signs';
	is_deeply [grep { remembers($_, $SECRET) } $node->worker_pids, $node->writer_pids, $node->media_pids], [], 'but nobody who has to do with clients';
};

subtest 'in order, from two nodes' => sub {
	my ($all, $bulk) = map { scalar $hook->events($_) } '/all', '/bulk';
	my $conversation = send_on(0, ben => cat => 'message 0')->{conversation_id};
	my @clients = map { client('ben', $_) } 0, 1;
	for my $i (1 .. 150) { my $r = $clients[$i % 2]->post('/messages/send', text_to('cat', "message $i")); $r->status == 201 or die $r->body }
	for my $to (['/all', $all], ['/bulk', $bulk]) {
		my ($path, $before) = @$to;
		my @e = wait_events('all messages', $path, $before + 151);
		is_deeply [map { $_->{data}{message}{seq} } grep { $_->{event} eq 'message' && $_->{data}{message}{conversation_id} eq $conversation } @e], [1 .. 151], "$path: each once, in order";
	}
	cmp_ok scalar($hook->requests('/bulk')), '<', 151, 'several in a request where batch allows it';
};

# What a receiver may do instead of taking it.
subtest 'what is not taken comes again' => sub {
	my $n = $hook->events('/all');
	for my $how ('500', '410', '429 1', '302', 'elsewhere', 'close', 'garbage', 'endless') {
		$hook->answer($how);
		my $refused = $hook->requests('/all', $how);
		my @sent = map { send_on($_ % 2, ann => ben => "$how $_") } 1, 2;
		wait_for("$how to be seen", sub { $hook->requests('/all', $how) > $refused });
		is scalar $hook->events('/all'), $n, "$how: nothing is taken";
		$hook->answer(200);
		my @e = pass_until("what was answered $how", sub { my @e = $hook->events('/all'); @e >= $n + 2 ? @e : () });
		is_deeply [map { $_->{data}{message}{id} } @e[$n, $n + 1]], [map { $_->{id} } @sent], "$how: it comes again, in order";
		my @tries = grep { $_->{body} =~ /"\Q$e[$n]{id}\E"/ } $hook->requests('/all');
		cmp_ok scalar @tries, '>=', 2, 'with the same id';
		ok !(grep { !defined $hook->signed($_) } @tries), 'and signed each time';
		$n = @e;
	}
	is scalar $hook->requests('/other'), 0, 'redirects are not followed';
	$hook->answer('hang');
	send_on(0, ann => ben => 'nobody answers');
	wait_for('it to be sent', sub { $hook->requests('/all', 'hang') });
	pass_until('it to be sent again', sub { $hook->requests('/all', 'hang') > 1 });
	my $h = wait_for('it to be listed', sub { my $h = listed('all'); $h->{state} eq 'failing' && $h });
	like $h->{error}, qr/\S/, 'the list says why';
	cmp_ok $h->{failed}, '>=', 8, 'and how often it failed';
	$hook->answer(200);
	pass_until('what was not answered', sub { $hook->events('/all') >= $n + 1 });
	pass_until('it to be well again', sub { listed('all')->{state} eq 'running' });
	my $metrics = join '', map { $_->admin_http->get('/metrics')->body } $t->nodes;
	my $count = sub { my ($name) = @_; my $n = 0; $n += $_ for $metrics =~ /^\Q$name\E (\d+)$/mg; return $n };
	cmp_ok $count->('tidings_webhook_events_total{result="delivered"}'), '>=', $n, 'the metrics count what is taken';
	cmp_ok $count->('tidings_webhook_failures_total'), '>=', 8, 'and what is not';
	cmp_ok listed('all')->{delivered}, '>=', $n, 'as the list does';
};

subtest 'one that is down holds up no other' => sub {
	my ($all, $bulk) = map { scalar $hook->events($_) } '/all', '/bulk';
	$hook->answer('hang', '/all');
	send_on(0, ann => ben => 'for both');
	wait_events('the other webhook', '/bulk', $bulk + 1);
	is scalar $hook->events('/all'), $all, 'goes on alone';
	$hook->answer(200, '/all');
	pass_until('the first', sub { $hook->events('/all') == $all + 1 });
};

subtest 'whatever is killed, nothing is lost' => sub {
	my $conversation = send_on(0, ben => cat => 'before')->{conversation_id};
	my $seq = $dbh->selectrow_array('SELECT last_seq FROM conversations WHERE id = ?', undef, $conversation);
	my @clients = map { client('ben', $_) } 0, 1;
	for my $round (1 .. 4) {
		my $before = $hook->requests('/all');
		$hook->answer($round == 1 ? 'hang' : 200);
		for my $i (1 .. 20) {
			my $r = $clients[$i % 2]->post('/messages/send', text_to('cat', "$round: $i"));
			$r->status == 201 or die $r->body;
			$seq++;
			kill_relays() if $i == 10 && $round == 2;
			$hook->kill->start if $i == 10 && $round == 3;
		}
		wait_for('some of it to be sent', sub { $hook->requests('/all') > $before });
		kill_relays() if $round == 1 || $round == 4;
		$hook->answer(200);
	}
	for my $path ('/all', '/bulk') {
		my @seqs = pass_until("$path: the last message", sub { my @s = map { $_->{data}{message}{seq} } grep { $_->{event} eq 'message' && $_->{data}{message}{conversation_id} eq $conversation } $hook->events($path); @s && $s[-1] == $seq ? @s : () });
		my (%seen, @first);
		for (@seqs) { push @first, $_ if !$seen{$_}++ }
		is_deeply \@first, [1 .. $seq], "$path: all came, the first time in order";
	}
};

subtest 'stopped, resumed, set back' => sub {
	my ($start) = $dbh->selectrow_array(q{SELECT DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-%dT%H:%i:%s.%fZ')});
	$start =~ s/000Z\z/Z/;
	settle('bulk');
	my $n = $hook->events('/bulk');
	pause('bulk');
	my $all = $hook->events('/all');
	my @sent = map { send_on(0, ann => ben => "while paused $_")->{id} } 1 .. 3;
	wait_events('the other webhook', '/all', $all + 3);
	is scalar $hook->events('/bulk'), $n, 'nothing comes';
	$t->node->ctl_ok('hooks', 'resume', 'bulk');
	my @e = pass_until('what was held', sub { my @e = $hook->events('/bulk'); @e >= $n + 3 ? @e : () });
	is_deeply [map { $_->{data}{message}{id} } @e[$n .. $n + 2]], \@sent, 'it comes once it is resumed';
	my %before = map { $_->{id} => 1 } @e;
	$t->node->ctl_ok('hooks', 'replay', 'bulk', '--since', $start);
	@e = pass_until('it again', sub { my @e = $hook->events('/bulk'); @e >= $n + 6 ? @e : () });
	is_deeply [map { $_->{data}{message}{id} } @e[$n + 3 .. $n + 5]], \@sent, 'set back, it comes again';
	ok !(grep { !$before{$_->{id}} } @e[$n + 3 .. $n + 5]), 'by the same ids';
	my $status = sub { my ($status) = $t->node->ctl('hooks', @_); return $status };
	is $status->(qw(replay bulk --since yesterday)), 2, 'a time has to be one';
	is $status->(qw(replay bulk --since 2100-01-01T00:00:00Z)), 2, 'and not be still to come';
	is $status->(qw(pause none)), 1, 'a webhook has to be there';
	is $status->(qw(replay bulk)), 2, 'and a time has to be given';
};

subtest 'three days' => sub {
	settle('all');
	$hook->answer('500');
	my $n = $hook->events('/all');
	my $lost = listed('all')->{lost};
	pause('all');
	send_on(0, ann => ben => 'too late');
	my $rows = $dbh->selectrow_array('SELECT COUNT(*) FROM outbox');
	cmp_ok $rows, '>', 100, 'rows are kept';
	$dbh->do('UPDATE outbox SET at = at - INTERVAL 4 DAY');
	$dbh->do('UPDATE outbox_done SET at = at - INTERVAL 4 DAY');
	$hook->answer(200);
	$t->node->ctl_ok('hooks', 'resume', 'all');
	my $m = send_on(0, ann => ben => 'in time');
	my @e = pass_until('what is in time', sub { my @e = $hook->events('/all'); @e && $e[-1]{data}{message}{id} eq $m->{id} ? @e : () });
	is scalar @e, $n + 1, 'what is older is not delivered';
	pass_until('it to be counted', sub { listed('all')->{lost} > $lost });
	ok 1, 'but counted';
	ok scalar(grep { $_->log_text =~ /webhook \w+: what \d+ transactions have done is older than 3 days/ } $t->nodes), 'and logged';
	for my $stream (7, 8) {
		$dbh->do('INSERT INTO outbox (stream, n, at, items) SELECT ?, seq, UTC_TIMESTAMP(3) - INTERVAL ? DAY, ? FROM seq_1_to_500', undef, $stream, $stream == 7 ? 4 : 2, '');
		$dbh->do('INSERT INTO outbox_done (consumer, stream, n, at) VALUES (?, ?, 500, UTC_TIMESTAMP(3))', undef, $_, $stream) for qw(push search);
	}
	pass_until('the rows to be deleted', sub { $dbh->selectrow_array('SELECT MIN(n) FROM outbox WHERE stream = 7') > 400 });
	is $dbh->selectrow_array('SELECT COUNT(*) FROM outbox WHERE stream = 8'), 500, 'what is not that old stays, though it was told';
	ok 1, 'and its rows go';
};

# Those who are to write a receiver begin with these.
subtest 'the examples' => sub {
	my $top = Tidings::top();
	my ($request) = $hook->requests('/all', '200');
	my ($event) = $hook->events('/all');
	my $signature = sub { my ($t, $body, $secret) = @_; return "t=$t,v1=" . hmac_sha256_hex("$t.$body", $secret) };
	my $post = sub {
		my ($port, $body, $signature) = @_;
		my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return 0;
		print $s "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n" . (defined $signature ? "Tidings-Signature: $signature\r\n" : '') . "\r\n$body";
		return (<$s> // '') =~ m{\AHTTP/1\.1 (\d+)} ? $1 : 0;
	};
	for (['node', 'webhook.js'], ['python3', 'webhook.py']) {
		my ($program, $file) = @$_;
		my ($port, $out) = (free_port(), Tidings::dir() . "/$file.out");
		my $pid = spawn(log => $out, cmd => [$program, "$top/contrib/examples/$file", $port, $hook->secret_file]);
		my $body = $request->{body};
		wait_for("$file to listen", sub { $post->($port, $body) });
		is $post->($port, $body, $signature->(time, $body, $SECRET)), 204, "$file takes an event";
		is $post->($port, "[$body,$body]", $signature->(time, "[$body,$body]", $SECRET)), 204, 'and several at once';
		is $post->($port, $body), 401, 'but none that is not signed';
		is $post->($port, $body, $signature->(time, $body, 'another secret')), 401, 'or by another';
		is $post->($port, "$body ", $signature->(time, $body, $SECRET)), 401, 'or of which something was changed';
		is $post->($port, $body, $signature->(time - 1000, $body, $SECRET)), 401, 'or that is old';
		my @lines = split /\n/, slurp($out);
		is scalar @lines, 1, 'it shows it once';
		is_deeply(JSON::PP->new->utf8->decode($lines[0]), $event, 'whole');
		signal_and_reap($pid, 'KILL');
	}
};

subtest 'without webhooks no row is kept' => sub {
	$_->configure({%{$_->{conf}}, relay => undef})->reload for $t->nodes;
	send_on(0, ann => ben => "more $_") for 1 .. 3;
	$dbh->do('UPDATE outbox_done SET at = at - INTERVAL 2 HOUR');
	pass_until('them to go', sub { $dbh->do(q{UPDATE outbox_done SET at = at - INTERVAL 2 HOUR WHERE at > UTC_TIMESTAMP(3) - INTERVAL 1 HOUR}); $dbh->selectrow_array('SELECT COUNT(*) FROM outbox') < 20 });
	ok 1, 'all that was told is deleted';
};

done_testing;
