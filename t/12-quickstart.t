# SPDX-License-Identifier: BSD-2-Clause
# Proves contrib/quickstart with what is built already: from nothing to three people who talk and are in a group, what it prints works, a
# second start says that it runs, Ctrl-C leaves no process behind, and the data are there the next time.
use Tidings;
use Tidings::Curl;
use Tidings::Util qw(run spawn reap slurp free_port children_of);
use Cwd ();

my $top = Tidings::top();
my $home = Tidings::dir() . '/home';
my $log = Tidings::dir() . '/said';
my $port = free_port();
my $build = Tidings::Server::build_dir();
my %env = (TIDINGS_NO_INSTALL => 1, TIDINGS_BUILD => $build =~ m{^/} ? $build : Cwd::getcwd() . "/$build", TIDINGS_HOME => $home, TIDINGS_PORT => $port,
	%{Tidings::Server::environment()});

sub everyone {
	my ($pid) = @_;
	return map { ($_, everyone($_)) } children_of($pid);
}

sub start {
	unlink $log;
	my $pid = spawn(cmd => ["$top/contrib/quickstart"], log => $log, env => \%env);
	wait_for('quickstart', sub {
		defined reap($pid) and die "it ended:\n" . slurp($log);
		return slurp($log) =~ /Press Ctrl-C/;
	}, 60);
	return $pid;
}

sub stop {
	my ($pid) = @_;
	my @all = everyone($pid);
	cmp_ok scalar(@all), '>=', 3, 'it has started several processes';
	kill 'INT', $pid;
	is wait_for('the end', sub { my $s = reap($pid); defined $s && "status $s" }), 'status 0', 'Ctrl-C ends it';
	is_deeply [grep { -d "/proc/$_" } @all], [], 'and everything it started';
	return;
}

my $pid = start();
my $said = slurp($log);
unlike $said, qr/Sanitizer|runtime error/, 'a clean start';
like $said, qr{http://127\.0\.0\.1:$port\b}, 'prints the address';
my %token = map { $_ => ($said =~ /^\s*\U$_\E=(\S+)$/m)[0] } qw(alice bob);
ok $token{alice} && $token{bob} && $token{alice} ne $token{bob}, 'prints two tokens';
like $said, qr{http://127\.0\.0\.1:$port/#token=\Q$token{$_}\E}, "and the link of $_" for qw(alice bob);
like $said, qr{^\s*carol\s+http://127\.0\.0\.1:$port/#token=\S+$}m, 'and that of carol';
my %password = map { $_ => ($said =~ /^\s*\Q$_\E\s+password (\S+)$/m)[0] } qw(alice bob carol);
ok $password{alice} && $password{bob} && $password{alice} ne $password{bob}, 'and two passwords';
ok $password{carol}, 'and a third';
is sprintf('%o', (stat "$home/$_")[2] & 0777), '600', "$_ is its owner's alone" for qw(jwt-secret password-alice password-bob password-carol);

my @curl = $said =~ /^\s*(curl .*)$/mg;
is scalar(@curl), 3, 'three lines to try';
my $recorder = Tidings::Curl->new(Tidings::dir());
for (@curl) {
	local $ENV{PATH} = $recorder->path;
	my ($status, $out, $err) = run(Tidings::dir(), 'sh', '-c', "ALICE=$token{alice}; BOB=$token{bob}; $_ -fsS");
	is $status, 0, 'they work as printed' or diag("$_\n$out$err");
}
is $recorder->check, 3, 'and what they send and get is as documented';
my %http = map { $_ => Tidings::HTTP->new(address => "127.0.0.1:$port", token => $token{$_}) } qw(alice bob);
my $page = $http{alice}->get('/', token => undef);
is $page->status, 200, 'a page is there';
like $page->header('content-type'), qr{^text/html}, 'as HTML';
is $http{alice}->get("/$_", token => undef)->status, 200, "$_, which it is made of" for qw(page.js page.css emoji_data.js sw.js);
sub logs_in { my ($user, $password) = @_; return $http{$user}->post('/users/login', {user_id => $user, password => $password}, token => undef) }
for (qw(alice bob)) {
	my $r = logs_in($_, $password{$_});
	is $r->status, 200, "$_ can log in" or diag($r->body);
	is $r->json->{user}{nickname}, ucfirst, 'and has a name';
}
sub groups { my ($user) = @_; return grep { $_->{kind} eq 'group' } @{$http{$user}->get('/messages/conversations')->json->{items}} }
my ($group) = groups('bob');
is_deeply [@{$group->{group}}{qw(owner_id role member_count)}], ['alice', 'member', 3], 'a group of all three';
my $upload = $http{alice}->request('POST', '/media?name=note.txt', headers => ['Content-Type', 'text/plain'], body => 'a note');
is $upload->status, 201, 'a file can be uploaded' or diag($upload->body);
is $http{bob}->get($upload->json->{url}, token => undef)->body, 'a note', 'and shown';
my ($pack) = @{$http{bob}->get('/stickers/installed')->json->{items}};
is_deeply [$pack->{id}, scalar @{$pack->{stickers}}], ['tide', 8], 'stickers for all three';
is $http{bob}->get($_->{media_url}, token => undef)->status, 200, "and the picture of $_->{id}" for @{$pack->{stickers}};
my ($admin_page) = $said =~ m{operator's page is at (\S+);};
my ($token_line) = $said =~ /^\s*(\S+tidingsctl .* token .*)$/m;
my ($made, $admin_token) = run(Tidings::dir(), 'sh', '-c', $token_line);
my $ops = Tidings::HTTP->new(address => $admin_page =~ s{^http://}{}r, admin => 1, token => $admin_token =~ s/\s+//gr);
like $ops->get('/')->header('content-type'), qr{^text/html}, 'the operator has a page';
is $ops->get("/$_")->status, 200, "$_, which it is made of" for qw(page.js page.css);
is $ops->get('/admin/stats')->status, 200, 'and a token for it';
my $ws = Tidings::WS->open(address => "127.0.0.1:$port", token => $token{bob}, via => 'query', headers => [Origin => "http://127.0.0.1:$port", Host => "127.0.0.1:$port"]);
my $m = $http{alice}->post('/messages/send', text_to('bob', 'kept'))->json;
is $ws->expect('message')->{message}{content}, 'kept', 'and the two can talk';
$ws->abort;

my ($status, $out, $err) = do { local @ENV{keys %env} = values %env; run(Tidings::dir(), "$top/contrib/quickstart") };
is $status, 0, 'a second start';
like $out, qr/running already.*http:\/\/127\.0\.0\.1:$port/s, 'says that it runs, and where';
($status, $out, $err) = do { local @ENV{keys %env} = values %env; run(Tidings::dir(), "$top/contrib/quickstart", '--home', "$home-2") };
isnt $status, 0, 'the port is occupied';
like $err, qr/port $port/, 'and it says so';
stop($pid);
unlike slurp($log), qr/Sanitizer|runtime error/, 'a clean end';

$pid = start();
is $http{bob}->get("/messages/conversations/$m->{conversation_id}/messages?limit=1")->json->{items}[0]{content}, 'kept', 'again: the data are there, and the old tokens hold';
is_deeply [map { $_->{id} } groups('alice')], [$group->{id}], 'and there is one group still';
like slurp($log), qr/^\s*alice\s+password \Q$password{alice}\E$/m, 'the password is the same';
is logs_in('alice', $password{alice})->status, 200, 'and works';
stop($pid);

done_testing;
