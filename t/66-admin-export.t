# SPDX-License-Identifier: BSD-2-Clause
# Proves GET /admin/users/{id}/export: it has all that a user may see, once and in order; the client sets its pace, and a
# hundred thousand messages take no more memory; an export that breaks off can be told from a complete one.
use Tidings;
use Tidings::Pack qw(png);
use Tidings::Util qw(run slurp now);
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_RCVBUF);

my $media = Tidings::dir() . '/media';
mkdir $media or die "$media: $!\n";
my $t = Tidings->start(workers => 1, conf => {accounts => 'true', media => {directory => $media}});
my $dbh = $t->dbh;
my $json = JSON::PP->new->utf8;
sub admin {
	my $http = $t->node->admin_http;
	$http->{token} = $t->token('ops', scope => 'admin');
	return $http;
}
sub export { my ($user, %o) = @_; return admin()->get("/admin/users/$user/export", timeout => 120, %o) }
sub lines { my ($r) = @_; return map { $json->decode($_) } split /\n/, $r->body }
sub of { my ($type, @lines) = @_; return grep { $_->{type} eq $type } @lines }

my $anyone = $t->http(undef, token => undef);
is $anyone->post('/users/register', {user_id => 'ann', password => 'long enough', nickname => 'Ann'})->status, 201, 'an account';
$t->befriend('ann', 'ben');
$t->befriend('ann', 'cat');
my ($ann, $ben) = map { $t->http($_) } qw(ann ben);

subtest 'what is in it' => sub {
	my @said = (map({ $t->send_text('ann', 'ben', "to ben $_") } 1 .. 3), $t->send_text('cat', 'ann', 'to ann'));
	is $ann->delete("/messages/$said[1]{id}")->status, 204, 'one is deleted';
	my $group = $t->group('ann', ['ben']);
	$t->say('ben', $group, 'to all');
	my ($with_cat) = map { $_->{id} } grep { ($_->{peer}{user_id} // '') eq 'cat' } @{$ann->get('/messages/conversations')->json->{items}};
	is $ann->put("/messages/conversations/$with_cat/settings", {archived => JSON::PP::true()})->status, 200, 'one is archived';
	my $file = $ann->request('POST', '/media?name=a.png', headers => ['Content-Type', 'image/png'], body => png(1))->json;
	my $module = $t->http(undef, token => $t->token('module', scope => 'notify'));
	is $module->post('/notifications', {user_id => 'ann', kind => 'moment_comment', body => "n$_"})->status, 201, 'a notification' for 1 .. 2;
	my $r = export('ann');
	is $r->status, 200, 'answered';
	is $r->header('content-type'), 'application/x-ndjson', 'as lines';
	my @lines = lines($r);
	is_deeply [map { @$_{qw(user_id nickname disabled)} } of('profile', @lines)], ['ann', 'Ann', JSON::PP::false], 'the profile';
	is scalar(of('login', @lines)), 1, 'a login';
	is_deeply [map { $_->{user}{user_id} } of('friend', @lines)], ['ben', 'cat'], 'friends';
	is_deeply [sort map { $_->{kind} eq 'group' ? 'group' : $_->{peer}{user_id} } of('conversation', @lines)], ['ben', 'cat', 'group'], 'conversations, archived ones too';
	is_deeply [sort map { $_->{content} // $_->{message_type} } of('message', @lines)], ['system', 'to all', 'to ann', 'to ben 1', 'to ben 3'], 'messages, but for what the user has deleted';
	my ($once) = grep { $_->{id} eq $said[0]{id} } of('message', @lines);
	is_deeply [@$once{qw(from_user_id to_user_id message_type created_at)}], [@{$said[0]}{qw(from_user_id to_user_id message_type created_at)}], 'as the API has them';
	is_deeply [map { $_->{id} } of('media', @lines)], [$file->{id}], 'files';
	is_deeply [map { $_->{body} } of('notification', @lines)], ['n2', 'n1'], 'notifications';
	is scalar(@lines), 1 + 1 + 2 + 3 + 5 + 1 + 2, 'and nothing else';
	is_deeply [map { $_->{type} } lines(export('nobody'))], ['profile'], 'a user of whom nothing is kept';
	is admin()->request('HEAD', '/admin/users/ann/export')->status, 200, 'HEAD';
	my ($entry) = grep { $_->{path} eq '/admin/users/ann/export' && $_->{method} eq 'GET' } @{admin()->get('/admin/audit')->json->{items}};
	is $entry->{status}, 200, 'it is in the audit log';
	my $old = admin();
	$old->raw("GET /admin/users/ann/export HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer $old->{token}\r\n\r\n");
	is_deeply [map { $_->{type} } lines($old->response)], [map { $_->{type} } @lines], 'to HTTP/1.0 up to the end of the connection';
	refused 'a user', $t->http('ann')->get('/admin/users/ann/export'), 404, 'not_found';
};

# dora has 300 conversations of 100 messages, and a deep one.
my $deep = 50000;
$dbh->do("INSERT INTO conversations (user1_id,user2_id,last_seq,user1_last_id,user2_last_id,user1_read_seq,user2_read_seq,last_message_time,sort_time,created_at) SELECT 'dora',CONCAT('p',LPAD(seq,3,'0')),IF(seq=1,$deep,100),0,0,IF(seq=1,$deep,100),IF(seq=1,$deep,100),t,t,t FROM (SELECT seq,UTC_TIMESTAMP(3)-INTERVAL seq MINUTE AS t FROM seq_1_to_300) s");
$dbh->do("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,is_read,read_at,created_at) SELECT (c.id<<28)+s.seq,user1_id,user2_id,0,REPEAT('text ',20),CONCAT('d',c.id,'-',s.seq),1,sort_time,sort_time FROM conversations c JOIN seq_1_to_$deep s ON s.seq<=c.last_seq WHERE user1_id='dora'");
$dbh->do("UPDATE conversations SET user1_last_id=(id<<28)+last_seq,user2_last_id=(id<<28)+last_seq WHERE user1_id='dora'");
my $all = $dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE from_user_id='dora'");
sub memory { my ($kib) = slurp('/proc/' . ($t->node->worker_pids)[0] . '/status') =~ /^VmRSS:\s+(\d+)/m; return $kib }

subtest 'much of it' => sub {
	my ($status, $text, $err) = run(Tidings::dir(), 'curl', '-fsS', '-m', 300, '-H', 'Authorization: Bearer ' . $t->token('ops', scope => 'admin'), 'http://' . $t->node->admin . '/admin/users/dora/export');
	is $status, 0, 'curl gets it whole' or diag($err);
	my (%ids, %last, $out_of_order);
	for (grep { $_->{type} eq 'message' } map { $json->decode($_) } split /\n/, $text) {
		$ids{$_->{id}}++;
		$out_of_order++ if $_->{seq} != ($last{$_->{conversation_id}} // 0) + 1;
		$last{$_->{conversation_id}} = $_->{seq};
	}
	is_deeply [scalar keys %ids, scalar keys %last, $out_of_order], [$all, 300, undef], 'each message once, in order';
};

subtest 'who does not read' => sub {
	my $before = memory();
	my $slow = admin();
	$slow->socket;
	setsockopt $slow->{socket}, SOL_SOCKET, SO_RCVBUF, 4096;
	$slow->raw($slow->render('GET', '/admin/users/dora/export'));
	# Its pages stop when the buffers of the socket are full; other requests are answered meanwhile.
	refused 'another one on this worker', export('ann'), 503, 'overloaded';
	is $t->http('ann')->get('/users/me')->status, 200, 'others are served';
	cmp_ok memory() - $before, '<', 30000, 'and it takes little memory';
	$slow->close;
	wait_for('the worker to notice', sub { export('ann')->status == 200 });
	pass 'then the next one is served';
};

subtest 'a worker that dies' => sub {
	$t->node->allow_deaths(1);
	my $http = admin();
	$http->raw($http->render('GET', '/admin/users/dora/export'));
	wait_for('it to begin', sub { $http->fill(now() + 60); length $http->{in} > 1000 });
	kill 'KILL', $t->node->worker_pids;
	ok !eval { $http->response(timeout => 60); 1 }, 'the answer has no end';
	wait_for('the next worker', sub { eval { export('ann')->status == 200 } });
	pass 'goes on';
};

$t->stop;
done_testing;
