# SPDX-License-Identifier: BSD-2-Clause
# Proves that a logout which has committed counts everywhere, although the worker that did it died before it told anybody;
# that a refresh whose answer to COMMIT was lost is done once; and that a worker serves nobody before it knows what is revoked.
use Tidings;
use Tidings::Proxy;
use Tidings::Util qw(slurp);

my $proxy = Tidings::Proxy->new(dir => Tidings::dir(), to => Tidings::stack()->mariadb_socket);
my $t = Tidings->start(workers => 1, nodes => 2, start => 0, conf => {limits => {logins_per_minute => 0}});
my ($near, $far) = $t->nodes;
$near->configure({%{$near->{conf}}, mysql => {%{$near->{conf}{mysql}}, socket => $proxy->socket}});
$_->start for $near, $far;
my $http = $t->http(undef, node => 1);
my $COMMIT = '\x03RELEASE SAVEPOINT whole;COMMIT\z';

sub made { my ($user) = @_; my $r = $http->post('/users/register', {user_id => $user, password => 'correct horse'}); is $r->status, 201, "$user registers"; return $r->json }
sub ready { wait_for('the database', sub { $near->admin_http->get('/readyz')->status == 200 }); return }

for my $all (0, 1) {
	subtest 'a worker dies between its commit and its words' . ($all ? ', of all logins' : '') => sub {
		my $one = made("ann$all");
		my $ws = Tidings::WS->open(address => $far->address, token => $one->{token});
		my $asks = $t->http(undef, token => $one->{token});
		$asks->get('/users/me');
		$proxy->lose($COMMIT);
		$asks->send_request('POST', '/users/logout', json => {all => $all ? JSON::PP::true() : JSON::PP::false()});
		$proxy->lost;
		# The database is away for it, so it can neither learn that it has committed nor read the tables.
		$near->allow_deaths(1);
		kill KILL => $near->worker_pids;
		is_deeply $ws->expect('kicked'), {type => 'kicked', reason => 'logged_out', by_session => undef}, 'the session on the other node is told all the same';
		is $ws->close_code, 4001, 'and closed';
		refused 'its token is refused there', $t->http(undef, node => 1, token => $one->{token})->get('/users/me'), 401, 'token_revoked';
		$proxy->open;
		ready();
		my $r;
		wait_for('the new worker to read it', sub { $r = $t->http(undef, token => $one->{token})->get('/users/me'); return $r->status != 200 });
		refused 'and here', $r, 401, 'token_revoked';
	};
}

subtest 'a worker dies between the commit of a password and its words' => sub {
	my $own = made('pia');
	my $other = $http->post('/users/login', {user_id => 'pia', password => 'correct horse'})->json;
	my $ws = Tidings::WS->open(address => $far->address, token => $other->{token});
	my $asks = $t->http(undef, token => $own->{token});
	$asks->get('/users/me');
	$proxy->lose($COMMIT);
	$asks->send_request('PUT', '/users/me/password', json => {old_password => 'correct horse', new_password => 'another horse'});
	$proxy->lost;
	$near->allow_deaths(1);
	kill KILL => $near->worker_pids;
	is_deeply $ws->expect('kicked'), {type => 'kicked', reason => 'password_changed', by_session => undef}, 'the session of another login is told';
	is $ws->close_code, 4001, 'and closed';
	refused 'its token is refused', $t->http(undef, node => 1, token => $other->{token})->get('/users/me'), 401, 'token_revoked';
	is $t->http(undef, node => 1, token => $own->{token})->get('/users/me')->status, 200, 'the own login goes on';
	$proxy->open;
	ready();
	is $http->post('/users/login', {user_id => 'pia', password => 'another horse'})->status, 200, 'the new password counts';
};

subtest 'the answer to COMMIT is lost' => sub {
	my $one = made('ben');
	my $renew = sub { my ($token) = @_; return $t->http(undef)->post('/users/refresh', {refresh_token => $token}) };
	my $asks = $t->http(undef);
	$proxy->lose($COMMIT);
	$asks->send_request('POST', '/users/refresh', json => {refresh_token => $one->{refresh_token}});
	$proxy->lost;
	$proxy->open;
	my $two = $asks->response;
	is $two->status, 200, 'it is answered' or diag $two->body;
	is $t->dbh->selectrow_array("SELECT generation FROM logins WHERE user_id = 'ben'"), 2, 'and was done once';
	ready();
	$proxy->lose($COMMIT);
	$asks->send_request('POST', '/users/refresh', json => {refresh_token => $two->json->{refresh_token}});
	$proxy->lost;
	refused 'where the database stays away', $asks->response, 503, 'unavailable';
	$proxy->open;
	ready();
	my $three = $renew->($two->json->{refresh_token});
	is $three->status, 200, 'the same token again goes on';
	is $t->dbh->selectrow_array("SELECT generation FROM logins WHERE user_id = 'ben'"), 3, 'from where it had come to';
	is $renew->($three->json->{refresh_token})->status, 200, 'with the token that is valid';
};

subtest 'a login whose COMMIT is lost' => sub {
	made('max');
	my $asks = $t->http(undef);
	$proxy->lose($COMMIT);
	$asks->send_request('POST', '/users/login', json => {user_id => 'max', password => 'correct horse'});
	$proxy->lost;
	$proxy->open;
	my $r = $asks->response;
	is $r->status, 200, 'it is answered' or diag $r->body;
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM logins WHERE user_id = 'max'"), 2, 'and began once';
	is $t->http(undef)->post('/users/refresh', {refresh_token => $r->json->{refresh_token}})->status, 200, 'with its own token';
	ready();
	$proxy->lose($COMMIT);
	$asks->send_request('POST', '/users/register', json => {user_id => 'lea', password => 'correct horse'});
	$proxy->lost;
	$proxy->open;
	$r = $asks->response;
	is $r->status, 201, 'and so does an account' or diag $r->body;
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM logins WHERE user_id = 'lea'"), 1, 'with one login';
	is $t->http(undef)->post('/users/refresh', {refresh_token => $r->json->{refresh_token}})->status, 200, 'whose token it was told';
};

subtest 'a worker that has not read what is revoked' => sub {
	my $one = made('eve');
	is $t->http(undef, node => 1, token => $one->{token})->post('/users/logout')->status, 204, 'one logs out';
	$proxy->hold(qr/FORCE INDEX \(by_refusal\)/);
	my $renew = sub {
		$near->allow_deaths(1);
		my @old = $near->worker_pids;
		kill KILL => @old;
		$proxy->held;
		my ($pid) = wait_for('its successor', sub { my @new = $near->worker_pids; return @new && $new[0] != $old[0] && $new[0] });
		return $pid;
	};
	my $naps = sub { my ($pid) = @_; return slurp("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : die "no such process\n" };
	my $asks = $t->http(undef, token => $one->{token});
	my $pid = $renew->();
	$asks->send_request('GET', '/users/me');
	$near->clock(2);
	my $before = $naps->($pid);
	wait_for('it to have looked at the time', sub { $naps->($pid) > $before + 20 });
	is_deeply [map { $_->{state} } grep { $_->{pid} == $pid } @{$near->ctl_ok('--json', 'workers')->{workers}}], ['starting'], 'is not ready';
	$proxy->release;
	refused 'and serves nobody before it has', $asks->response, 401, 'token_revoked';

	$proxy->hold(qr/FORCE INDEX \(by_refusal\)/);
	$asks = $t->http(undef, token => $t->token('max'));
	$renew->();
	$asks->send_request('GET', '/users/me');
	$near->clock(31);
	is $asks->response->status, 200, 'but for no more than half a minute';
	$proxy->release;
	ready();
};

$t->stop;
$proxy->stop;
done_testing;
