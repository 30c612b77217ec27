# SPDX-License-Identifier: BSD-2-Clause
# Proves that /metrics is good Prometheus text which counts what happened, that a worker's death takes nothing from it,
# and that the dashboard, the alert rules and doc/operations.md speak of these metrics and no others.
use Tidings;
use JSON::PP ();
use Tidings::Util qw(run slurp spew);

my $top = Tidings::top();
my $dir = Tidings::dir();
mkdir "$dir/media" or die;
my $media = {directory => "$dir/media", url_secret_file => spew("$dir/url.secret", 'x' x 32)};
my $t = Tidings->start(workers => 2, conf => {limits => {sends_per_second => 100000, burst => 100000}, media => $media});
$t->befriend(qw(alice bob));

# Empty where the worker that was asked has just died.
sub metrics { my $r = eval { $t->node->admin_http->get('/metrics') }; return $r ? $r->body : '' }
# The value of a sample, 0 where there is none.
sub value {
	my ($sample) = @_;
	return metrics() =~ /^\Q$sample\E (\S+)$/m ? $1 : 0;
}
sub value_is {
	my ($sample, $want, $name) = @_;
	my $got = eval { wait_for("$sample to be $want", sub { value($sample) == $want }); $want };
	is $got // value($sample), $want, $name;
	return;
}

subtest 'what is counted' => sub {
	my $ws = $t->ws('bob');
	my $http = $t->http('alice');
	$http->post('/messages/send', text_to('bob', "m$_", client_msg_id => "c$_")) for 1 .. 5;
	$http->post('/messages/send', text_to('bob', 'm1', client_msg_id => 'c1'));
	$ws->request(type => 'send', %{text_to('alice', 'back')});
	$ws->request(type => 'send', %{text_to('nobody-knows', 'lost')});
	$http->post('/messages/send', text_to('carol', 'no friend'));
	$http->get('/nowhere');
	$t->http(undef)->get('/messages/unread-count');
	value_is 'tidings_http_requests_total{route="send",status="201"}', 5, 'requests by route and status';
	value_is 'tidings_http_requests_total{route="send",status="200"}', 1, 'a repeat';
	value_is 'tidings_http_requests_total{route="send",status="403"}', 1, 'a refusal';
	value_is 'tidings_http_requests_total{route="ws",status="101"}', 1, 'a handshake';
	value_is 'tidings_http_requests_total{route="none",status="404"}', 1, 'a path that is not ours';
	value_is 'tidings_refused_total{reason="not_friends"}', 2, 'refusals by code, over HTTP and WebSocket';
	value_is 'tidings_refused_total{reason="token_invalid"}', 1, 'and before a command was reached';
	value_is 'tidings_sends_total{door="http"}', 7, 'sends over HTTP';
	value_is 'tidings_sends_total{door="websocket"}', 2, 'and WebSocket';
	value_is 'tidings_acks_total{door="http"}', 6, 'acks over HTTP';
	value_is 'tidings_acks_total{door="websocket"}', 1, 'and WebSocket';
	value_is 'tidings_messages_stored_total', 6, 'what was stored';
	value_is 'tidings_messages_replayed_total', 1, 'what stood already';
	value_is 'tidings_sessions', 1, 'sessions';
	value_is 'tidings_workers{state="ready"}', 2, 'workers';
	value_is 'tidings_writers{state="ready"}', 1, 'writers';
	cmp_ok value('tidings_writer_operations_total{writer="0"}'), '>', 0, 'and what they have written';
	value_is 'tidings_relay_up', 1, 'the relay';
	value_is 'tidings_relay_leads', 1, 'which leads';
	value_is 'tidings_relay_rows', 0, 'and has nothing to tell';
	value_is 'tidings_relay_lag_seconds', 0, 'nor is behind';
	value_is 'tidings_media_up', 1, 'the media process';
	value_is 'tidings_media_jobs', 0, 'which looks at nothing';
	my $body = metrics();
	my ($ops, $batches) = map { $body =~ /^tidings_batch_operations_$_ (\d+)/m } qw(sum count);
	cmp_ok $ops, '>=', 8, 'operations of transactions';
	cmp_ok $batches, '<=', $ops, 'each has one at least';
	cmp_ok value('tidings_store_batches_guessed_total{result="right"}') + value('tidings_store_batches_guessed_total{result="wrong"}'), '>', 0, 'some of which were tried in one round trip';
	for my $w (0, 1) {
		wait_for("worker $w to report its memory", sub { value(qq(tidings_worker_memory_bytes{worker="$w",kind="private"})) > 1e6 });
		cmp_ok value(qq(tidings_worker_memory_bytes{worker="$w",kind="resident"})), '>', value(qq(tidings_worker_memory_bytes{worker="$w",kind="private"})),
			"memory of worker $w";
	}
	wait_for('heartbeats to come back through Redis', sub { value('tidings_bus_lag_seconds_count') >= 4 });
	cmp_ok value('tidings_bus_lag_seconds_sum'), '>', 0, 'which takes some time';
	$ws->close;
};

subtest 'what waits for the database' => sub {
	my $dbh = $t->{stack}->dbh($t->{database});
	$dbh->do('LOCK TABLES messages WRITE, conversations WRITE, users WRITE, friendships WRITE');
	my @http = map { $t->http('alice')->connect } 1 .. 5;
	$_->send_request('POST', '/messages/send', json => text_to('bob', 'wait')) for @http;
	wait_for('a queue', sub { value('tidings_store_pending{worker="0"}') + value('tidings_store_pending{worker="1"}') >= 5 });
	pass 'is told';
	$dbh->do('UNLOCK TABLES');
	$_->response for @http;
	wait_for('none', sub { value('tidings_store_pending{worker="0"}') + value('tidings_store_pending{worker="1"}') == 0 });
	pass 'and so is that it waits no more';
};

subtest 'a worker dies' => sub {
	my %before = metrics() =~ /^(tidings_\w+(?:_total|_count|_sum|_bucket)(?:\{[^}]*\})?) (\S+)$/mg;
	$t->node->allow_deaths(2);
	kill 'KILL', $t->node->worker_pids;
	value_is 'tidings_worker_restarts_total', 2, 'its death is counted';
	wait_for('two new ones', sub { value('tidings_workers{state="ready"}') == 2 });
	my %after = metrics() =~ /^(tidings_\w+(?:_total|_count|_sum|_bucket)(?:\{[^}]*\})?) (\S+)$/mg;
	is_deeply [grep { ($after{$_} // -1) < $before{$_} } sort keys %before], [], 'no counter and no histogram falls';
	$t->http('alice')->post('/messages/send', text_to('bob', 'after'));
	value_is 'tidings_messages_stored_total', $before{tidings_messages_stored_total} + 1, 'their successors count on';
};

my %known;
for my $line (split /\n/, metrics()) {
	next if $line !~ /^# TYPE (tidings_\w+) (\w+)/;
	$known{$1} = $2;
}
# A histogram is used by its parts.
my %usable = map { my $m = $_; map { ($_ => $m) } $known{$m} eq 'histogram' ? map { "${m}_$_" } qw(bucket sum count) : $m } keys %known;
sub strangers { my ($text) = @_; my %used = map { $_ => 1 } $text =~ /\b(tidings_[a-z_]+)\b/g; return sort grep { !$usable{$_} } keys %used }

subtest 'promtool' => sub {
	my $promtool = grep { -x "$_/promtool" } split /:/, $ENV{PATH};
	plan skip_all => 'promtool is not installed (Debian: prometheus)' if !$promtool;
	my ($status, $out, $err) = run($dir, {input => metrics()}, 'promtool', 'check', 'metrics');
	is $status, 0, 'check metrics' or diag($out . $err);
	is "$out$err", '', 'without a remark';
	for (['rules', 'tidings.rules.yml'], ['test', 'tidings.test.yml']) {
		my ($what, $file) = @$_;
		my @cmd = $what eq 'test' ? qw(test rules) : qw(check rules);
		($status, $out, $err) = run($dir, 'promtool', @cmd, "$top/contrib/prometheus/$file");
		is $status, 0, "@cmd $file" or diag($out . $err);
	}
};

subtest 'the rules' => sub {
	my $rules = slurp("$top/contrib/prometheus/tidings.rules.yml");
	is_deeply [strangers(join "\n", $rules =~ /expr: (.*?)\n\s+(?:for|labels):/sg)], [], 'use metrics that there are';
	my $doc = slurp("$top/doc/operations.md");
	is_deeply [grep { $doc !~ /`$_`/ } $rules =~ /alert: (\w+)/g], [], 'and doc/operations.md tells what to do about each';
};

subtest 'the dashboard' => sub {
	my $dashboard = JSON::PP->new->utf8->decode(slurp("$top/contrib/grafana/tidings.json"));
	my @targets = map { @{$_->{targets} // []} } @{$dashboard->{panels}};
	cmp_ok scalar(@targets), '>', 40, 'has queries';
	my $all = join "\n", (map { $_->{expr} } @targets), map { $_->{query}{query} // () } grep { ref $_->{query} } @{$dashboard->{templating}{list}};
	is_deeply [strangers($all)], [], 'of metrics that there are';
	is_deeply [grep { my $m = $_; $all !~ /\b\Q$m\E(?:_bucket|_sum|_count)?\b/ } sort keys %known], [], 'and shows each of them';
	my %ids;
	is_deeply [grep { $ids{$_->{id}}++ } @{$dashboard->{panels}}], [], 'panels have ids of their own';
	SKIP: {
		skip 'promtool is not installed (Debian: prometheus)', 1 if !grep { -x "$_/promtool" } split /:/, $ENV{PATH};
		my $n = 0;
		my $yaml = "groups:\n- name: dashboard\n  rules:\n" . join '', map { (my $e = $_->{expr}) =~ s/\$__rate_interval/5m/g; $n++;
			"  - record: panel:$n\n    expr: " . JSON::PP->new->allow_nonref->encode($e) . "\n" } @targets;
		my ($status, $out, $err) = run($dir, 'promtool', 'check', 'rules', spew("$dir/dashboard.yml", $yaml));
		is $status, 0, 'every query is PromQL' or diag($out . $err);
	}
};

subtest 'doc/operations.md' => sub {
	my $doc = slurp("$top/doc/operations.md");
	is_deeply [grep { $doc !~ /`$_`/ } sort keys %known], [], 'names every metric';
	my %used = map { $_ => 1 } $doc =~ /`(tidings_[a-z_]+)/g;
	is_deeply [grep { !$usable{$_} && !$known{$_} } sort keys %used], [], 'and no other';
};

$t->stop;
done_testing;
