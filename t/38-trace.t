# SPDX-License-Identifier: BSD-2-Clause
# Proves GET /admin/messages/{id}/trace (contract, section 12): the sessions of all nodes that a message was pushed to, the devices
# and webhooks that were told of it, whichever node is asked and whatever dies; and that it says what it cannot know.
use Tidings;
use Tidings::Hook;
use Tidings::Util qw(run slurp spew);
use HTTP::Tiny ();
use IPC::Open2 qw(open2);
use JSON::PP ();

my ($dir, $top) = (Tidings::dir(), Tidings::top());
my $json = JSON::PP->new->utf8;
sub made { my (@command) = @_; my ($status, undef, $err) = run($dir, @command); die "@command: $err" if $status; return }
made(qw(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out), "$dir/tls.pem");
made(qw(openssl genpkey -algorithm RSA -out), "$dir/google.pem");
made(qw(openssl req -x509 -new -subj /CN=services -days 2 -addext subjectAltName=IP:127.0.0.1 -key), "$dir/tls.pem", '-out', "$dir/tls.crt");
spew("$dir/pushes", '');
my $services = open2(my $said, undef, 'node', "$top/t/push/services.js", "$dir/tls.crt", "$dir/tls.pem", "$dir/pushes");
my ($port, $control) = <$said> =~ /(\d+) (\d+)/ or die "no services\n";
my $owner = $$;
END { kill 'TERM', $services if $services && $$ == $owner }
my $base = "https://127.0.0.1:$port";
spew("$dir/google.json", $json->encode({type => 'service_account', project_id => 'proj', client_email => 'push@proj.example', token_uri => "$base/token", private_key => slurp("$dir/google.pem")}));
my $hook = Tidings::Hook->new(dir => $dir, secret => 'a secret of webhooks, with 32 bytes and more');

my $t = Tidings->start(nodes => 2, workers => 2, conf => {relay => {fcm_credentials_file => "$dir/google.json", fcm_url => $base, ca_file => "$dir/tls.crt", allow_private => 'true',
	webhook => {crm => {url => $hook->url('/crm'), secret_file => $hook->secret_file}}}});
my $dbh = $t->dbh;
$t->befriend(qw(ann ben cat dan));
my @ops = map { my $http = $_->admin_http; $http->{token} = $t->token('ops', scope => 'admin', exp => time + 1_000_000); $http } $t->nodes;
sub trace { my ($m, $node) = @_; my $r = $ops[$node // 0]->get("/admin/messages/$m->{id}/trace"); is $r->status, 200, 'a trace' or diag $r->body; return $r->json }
sub pushed { my ($trace) = @_; return sort map { $_->{session_id} } @{$trace->{pushed}} }
sub session_ids { return sort map { $_->session_id } @_ }
# Each worker of the one knows the other node.
wait_for('the nodes to hear each other', sub { 2 == grep { my $nodes = $_->get('/admin/stats')->json->{nodes}; 4 == eval { my $n = 0; $n += $_->{workers} for @$nodes; $n } } @ops }) for 1 .. 4;
wait_for('the webhook to be known', sub { $dbh->selectrow_array('SELECT COUNT(*) FROM hooks') });
sub told { my ($id) = @_; return grep { $_->{event} eq 'message' && $_->{data}{message}{id} eq $id } $hook->events('/crm') }

subtest 'sessions of both nodes' => sub {
	my @ben = map { $t->ws('ben', node => $_, query => "device=$_") } 0, 0, 0, 1, 1;
	my $own = $t->ws('ann', node => 1);
	my $m = $t->send_text('ann', 'ben', 'hello');
	$_->expect('message') for @ben, $own;
	for my $node (0, 1) {
		my $trace = trace($m, $node);
		is_deeply [pushed($trace)], [session_ids(@ben, $own)], "node $node: each session that got it";
		is_deeply [@{$trace}{qw(stored_at conversation_id seq incomplete)}], [@{$m}{qw(created_at conversation_id seq)}, JSON::PP::false()], 'where it is, and nothing is missing';
		is_deeply [map { $_->{at} } @{$trace->{pushed}}], [sort map { $_->{at} } @{$trace->{pushed}}], 'in order of time';
		is_deeply $trace->{devices}, [], 'and no device';
	}
	my $sessions = $ops[1]->get('/admin/users/ben/sessions')->json->{items};
	ok scalar(grep { $_->{session_id} eq $ben[3]->session_id } @$sessions), 'under the names that the lists of sessions have';
	my $other = $t->send_text('ann', 'ben', 'again');
	$_->expect('message') for @ben;
	is scalar(@{trace($other)->{pushed}}), 6, 'each message by itself';
	my $edit = $t->api('ann')->put("/messages/$m->{id}", {content => 'hello again'});
	is $edit->status, 200, 'it is edited';
	$_->expect('edited') for @ben;
	is_deeply [pushed(trace($m))], [session_ids(@ben, $own)], 'what is done to it later is no push of it';
	is $t->api('ann')->put("/messages/$m->{id}/recall")->status, 200, 'it is recalled';
	is_deeply [pushed(trace($m))], [session_ids(@ben, $own)], 'and its trace is there still';
	$_->abort for @ben, $own;
};

subtest 'a group' => sub {
	my %ws = map { $_ => $t->ws($_, node => $_ eq 'cat' ? 1 : 0) } qw(ben cat dan);
	my $group = $t->group('ann', [qw(ben cat)]);
	my $r = $t->api('ann')->post('/messages/send', {conversation_id => "$group", message_type => 'text', content => 'all'});
	is $r->status, 201, 'a message';
	$ws{$_}->expect('message', sub { $_[0]{message}{id} eq $r->json->{id} }) for qw(ben cat);
	is_deeply [pushed(trace($r->json))], [session_ids(@ws{qw(ben cat)})], 'the members\' sessions';
	$_->abort for values %ws;
};

subtest 'a device and a webhook' => sub {
	is $t->api('dan')->put('/devices/phone', {platform => 'fcm', token => 'dans-phone'})->status, 204, 'a device';
	my $m = $t->send_text('ann', 'dan', 'psst');
	my $trace;
	wait_for('both to be told', sub { $trace = $ops[0]->get("/admin/messages/$m->{id}/trace")->json; @{$trace->{devices}} && @{$trace->{hooks}} });
	my ($device, $delivery) = ($trace->{devices}[0], $trace->{hooks}[0]);
	ok delete $device->{at} && delete $delivery->{at}, 'with their times';
	is_deeply $trace->{devices}, [{user_id => 'dan', device_id => 'phone', platform => 'fcm', status => 'accepted'}], 'the device';
	is_deeply $trace->{hooks}, [{name => 'crm', event => 'message', status => 'accepted'}], 'the webhook';
	is_deeply $trace->{pushed}, [], 'and no session';
	is scalar(told($m->{id})), 1, 'as the webhook knows';
	is_deeply [map { scalar @{trace($m, 1)->{$_}} } qw(devices hooks)], [1, 1], 'the other node tells the same';
	HTTP::Tiny->new->request('PUT', "http://127.0.0.1:$control/answer", {content => $json->encode({path => '/v1/projects', status => 404, body => '{"error":{"code":404,"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}'})});
	$hook->answer(500, '/crm');
	my $gone = $t->send_text('ann', 'dan', 'psst again');
	wait_for('both to fail', sub { $trace = $ops[1]->get("/admin/messages/$gone->{id}/trace")->json; @{$trace->{devices}} && @{$trace->{hooks}} });
	is_deeply [map { $trace->{$_}[0]{status} } qw(devices hooks)], ['gone', 'retried'], 'what they answered';
	$hook->answer(200, '/crm');
	wait_for('the webhook', sub { @{$ops[0]->get("/admin/messages/$gone->{id}/trace")->json->{hooks}} == 2 });
	is_deeply [map { $_->{status} } @{trace($gone)->{hooks}}], [qw(retried accepted)], 'and then it was accepted';
};

subtest 'who dies' => sub {
	my @ben = map { $t->ws('ben', node => $_ % 2) } 1 .. 8;
	my $m = $t->send_text('ann', 'ben', 'remember');
	$_->expect('message') for @ben;
	my @want = session_ids(@ben);
	for my $node ($t->nodes) {
		$node->allow_deaths(2);
		kill KILL => $node->worker_pids;
	}
	wait_for('the nodes to be back', sub { 2 == grep { eval { $_->admin_http->get('/readyz')->status } == 200 } $t->nodes });
	for my $node (0, 1) {
		$ops[$node] = $t->node($node)->admin_http;
		$ops[$node]{token} = $t->token('ops', scope => 'admin');
		my $trace;
		wait_for('all nodes to answer', sub { $trace = $ops[$node]->get("/admin/messages/$m->{id}/trace")->json; @{$trace->{pushed}} == @want });
		is_deeply [pushed($trace)], \@want, "node $node: the notes of workers that were killed are there";
	}
	$_->abort for @ben;
	my ($one, $two) = $t->nodes;
	$two->ctl_ok('reload');
	is_deeply [pushed(trace($m))], \@want, 'and after a reload';
	$two->stop;
	$two->start;
	my $trace;
	wait_for('the node to answer again', sub { $trace = $ops[0]->get("/admin/messages/$m->{id}/trace")->json; @{$trace->{pushed}} == @want });
	is_deeply [pushed($trace)], \@want, 'and after a restart';
};

subtest 'what it cannot know' => sub {
	my $m = $t->send_text('ann', 'ben', 'who knows');
	my $two = $t->node(1);
	# The master first: it would take them for hung, and kill them.
	my @stopped = ($two->pid, $two->worker_pids);
	wait_for('both nodes to answer', sub { !$ops[0]->get("/admin/messages/$m->{id}/trace")->json->{incomplete} });
	kill STOP => $_ for @stopped;
	ok trace($m)->{incomplete}, 'a node that does not answer';
	kill CONT => $_ for @stopped;
	wait_for('it to answer again', sub { !$ops[0]->get("/admin/messages/$m->{id}/trace")->json->{incomplete} });
	refused 'no such message', $ops[0]->get('/admin/messages/' . ($m->{id} + 99) . '/trace'), 404, 'not_found';
	refused 'of no conversation', $ops[0]->get('/admin/messages/9223372036854775807/trace'), 404, 'not_found';
	refused "'$_'", $ops[0]->get("/admin/messages/$_/trace"), 404, 'not_found' for qw(x 0x1 18446744073709551616);
	refused 'another method', $ops[0]->put("/admin/messages/$m->{id}/trace", {}), 405, 'method_not_allowed';
	refused 'who is no administrator', $t->node->admin_http->get("/admin/messages/$m->{id}/trace"), 401, 'token_invalid';
	refused 'on the public listener', $t->http(undef, token => $t->token('ops', scope => 'admin'))->get("/admin/messages/$m->{id}/trace"), 404, 'not_found';
	my ($logged) = grep { $_->{path} eq "/admin/messages/$m->{id}/trace" } @{$ops[0]->get('/admin/audit')->json->{items}};
	is_deeply [@{$logged}{qw(actor method status)}], ['ops', 'GET', 200], 'each is in the audit log';
	$dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 2 DAY WHERE id = ?', undef, $m->{id});
	my $old = trace($m);
	is_deeply [$old->{incomplete}, $old->{devices}], [JSON::PP::true(), []], 'a message from before what is kept';
	$t->{stack}->redis_stop('KILL');
	wait_for('Redis to be missed', sub { !$ops[0]->get('/admin/stats')->json->{redis} });
	my $alone = $t->send_text('ann', 'ben', 'alone');
	ok trace($alone)->{incomplete}, 'without Redis nobody else is asked';
	$t->{stack}->redis_start;
	wait_for('Redis in every worker', sub { $ops[0]->get('/admin/stats')->json->{redis} });
};

subtest 'many at once' => sub {
	my $m = $t->send_text('ann', 'ben', 'many');
	my @http = map { my $http = $t->node->admin_http; $http->{token} = $t->token('ops', scope => 'admin'); $http } 1 .. 24;
	$_->send_request('GET', "/admin/messages/$m->{id}/trace") for @http;
	my %n;
	$n{$_->response->status}++ for @http;
	is +($n{200} // 0) + ($n{503} // 0), 24, 'each is answered, or refused as too many' or diag explain \%n;
	ok $n{200} >= 8, 'some are answered';
};

subtest 'files that are no rings' => sub {
	my $one = $t->node;
	my @files = glob "$one->{conf}{run_dir}/trace/*";
	ok scalar(@files) >= 3, 'the rings of the node';
	my $m = $t->send_text('ann', 'ben', 'kept nowhere');
	$one->stop;
	for my $i (0 .. $#files) {
		my $text = slurp($files[$i]);
		spew($files[$i], (substr($text, 0, 100), 'garbage', '', $text . 'x', "\xff" x length $text)[$i % 5]);
	}
	$one->start;
	$ops[0] = $one->admin_http;
	$ops[0]{token} = $t->token('ops', scope => 'admin');
	ok trace($m)->{incomplete}, 'the server starts, and tells that it does not know';
	my $ben = $t->ws('ben');
	my $next = $t->send_text('ann', 'ben', 'noted again');
	$ben->expect('message');
	is_deeply [pushed(trace($next))], [session_ids($ben)], 'and begins anew';
	$ben->abort;
};

subtest 'off' => sub {
	my $off = Tidings->start(workers => 1, conf => {admin => {trace_size => 0}});
	$off->befriend(qw(ann ben));
	my $ben = $off->ws('ben');
	my $m = $off->send_text('ann', 'ben', 'unseen');
	$ben->expect('message');
	my $http = $off->node->admin_http;
	$http->{token} = $off->token('ops', scope => 'admin');
	my $trace = $http->get("/admin/messages/$m->{id}/trace")->json;
	is_deeply [@{$trace}{qw(stored_at pushed incomplete)}], [$m->{created_at}, [], JSON::PP::true()], 'nothing is noted, and that is told';
	ok !-e "$off->{nodes}[0]{conf}{run_dir}/trace", 'nor is there a folder';
};

done_testing;
