# SPDX-License-Identifier: BSD-2-Clause
# The operator's page in a real browser: who gets in, live figures that agree with what happens, the nodes of the cluster and
# one that goes away, users who are found, barred and kicked, whatever their names say, the audit log page by page;
# and that the page offends no policy and can be used by keyboard and screen reader, dark, narrow and in Chinese.
use utf8;
use Tidings;
use Tidings::AdminPage;
use Tidings::Browser;
use JSON::PP ();

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output, Test::More->builder->todo_output;

my $t = Tidings->start(workers => 2, nodes => 2, conf => {admin => {docroot => Tidings::AdminPage::docroot()}, limits => {logins_per_minute => 0}});
$t->befriend(qw(ann ben));
my $browser = Tidings::Browser->start($t->dir);
my $address = 'http://' . $t->node->admin;
my $ops = $t->node->admin_http;
$ops->{token} = $t->token('ops', scope => 'admin');
my $shown = JSON::PP->new->allow_nonref;

# A page without a token; every refusal of the policy is noted.
my $watch = q{window.refusals = []; addEventListener('securitypolicyviolation', (e) => refusals.push(`${e.violatedDirective} ${e.blockedURI}`));};
my @pages;
sub visit {
	my ($hash, %o) = @_;
	my $page = $browser->page($address . '/' . ($hash // ''), before => $watch, %o);
	push @pages, $page;
	return $page;
}
sub enter {
	my ($hash, %o) = @_;
	my $page = visit($hash, %o);
	$page->fill('#token', $t->token('ops', scope => 'admin', %{$o{claims} // {}}))->key('Enter');
	$page->wait_value(q{document.querySelector('.bar')});
	return $page;
}
sub text { my ($page, $selector) = @_; return $page->value('document.querySelector(' . $shown->encode($selector) . ')?.textContent ?? null') }
sub wait_has { my ($page, $selector, $text) = @_; return $page->wait_value('document.querySelector(' . $shown->encode($selector) . ')?.textContent.includes(' . $shown->encode($text) . ')') }

# What the page must not do, but for the browser's own notes on answers that the page shows itself.
sub faults_of {
	my ($page) = @_;
	my @refused = @{$page->value('window.refusals')};
	return @refused, grep { !/Failed to load resource/ } $page->take_faults;
}

subtest 'the files' => sub {
	my $http = $t->node->admin_http;
	my $index = $http->get('/');
	is $index->status, 200, 'on the administrators\' listener';
	my $csp = $index->header('content-security-policy');
	like $csp, qr/default-src 'none'/, 'nothing is allowed that is not named';
	unlike $csp, qr/unsafe|data:|\*/, 'no script or style of the page itself';
	unlike $index->body, qr/<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=/, 'nor is there any in it';
	is $t->http(undef)->get('/page.js')->status, 404, 'not on the users\' listener';
	is $http->get("/$_")->status, 404, "no $_" for '../tidings.conf', '%2e%2e/tidings.conf', 'nothing';
	is $http->request('POST', '/')->status, 404, 'files are only read';
	is $http->get('/healthz')->json->{status}, 'alive', 'what was there is there';
};

subtest 'who gets in' => sub {
	my $page = visit('#/audit');
	$page->fill('#token', 'no token')->key('Enter');
	$page->wait_text('.fault', 'does not accept');
	my %wrong = ('has expired' => {exp => time - 3600, scope => 'admin'}, 'no scope' => {scope => 'notify'});
	for my $said (sort keys %wrong) {
		$page->value(q{document.getElementById('token').value = ''});
		$page->fill('#token', $t->token('ops', %{$wrong{$said}}))->key('Enter');
		$page->wait_text('.fault', $said);
	}
	is $page->value(q{Object.keys(sessionStorage).length + Object.keys(localStorage).length}), 0, 'a token that is refused is not kept';
	$page->value(q{document.getElementById('token').value = ''});
	my $token = $t->token('ops', scope => 'admin');
	$page->fill('#token', " $token ")->key('Enter');
	$page->wait_value(q{document.querySelector('nav [aria-current]')?.hash === '#/audit'});
	is $page->value(q{sessionStorage.length}), 1, 'one that is accepted is, in this tab';
	is $page->value(q{localStorage.length}), 0, 'and nowhere else';
	unlike $page->value('location.href'), qr/\Q$token\E/, 'not in the address';
	unlike $page->value('document.documentElement.outerHTML'), qr/\Q$token\E/, 'nor in the page';
	$page->reload;
	$page->wait_value(q{document.querySelector('.bar')});
	pass 'it lasts through a reload';
	$page->click('.bar button', 'Log out');
	$page->wait_value(q{document.querySelector('#token') === document.activeElement});
	is $page->value('sessionStorage.length'), 0, 'logging out takes it away';
	unlike $page->value('document.body.textContent'), qr{/admin/}, 'and all that was shown';
};

subtest 'live figures' => sub {
	my $ws = $t->ws('ben');
	my $page = enter();
	wait_has($page, '.live', 'Live');
	$page->wait_value(q{document.querySelectorAll('.tile').length === 5});
	my $stored = q{Number(document.querySelector('.tile strong').textContent)};
	my $http = $t->http('ann');
	wait_for('messages to be counted', sub {
		$http->post('/messages/send', text_to('ben', 'counted')) for 1 .. 5;
		return ($page->value($stored) // 0) > 0;
	});
	pass 'messages that are sent are seen';
	$page->wait_value(q{[...document.querySelectorAll('.tile')].find((e) => e.textContent.startsWith('Sessions')).querySelector('strong').textContent === '1'});
	pass 'and sessions';
	$page->wait_value(q{[...document.querySelectorAll('.numbers tbody tr')].some((row) => row.textContent.includes('commit') && /\d\s*ms|\d\s*μs|\d\s*s/.test(row.cells[3].textContent))});
	pass 'the latency of commits has its quantiles';
	my $names = q{[...document.querySelectorAll('.card')].find((e) => e.querySelector('h2').textContent === 'Nodes')};
	$page->wait_value("$names?.querySelectorAll('tbody tr').length === 2");
	my $rows = $page->value("[...$names.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))");
	is_deeply [sort map { $_->[1] } @$rows], ['2', '2'], 'each node with its workers' or diag explain $rows;
	is_deeply [map { $_->[0] =~ s/ this one//r } grep { $_->[0] =~ /this one/ } @$rows], [$ops->get('/admin/stats')->json->{node_id}], 'and which of them this is';
	$page->wait_value(q{[...document.querySelectorAll('.facts dd')].filter((e) => e.textContent === 'connected').length === 2});
	pass 'the database and Redis are connected';

	my $other = $t->node(1);
	kill 'KILL', $other->pid, $other->worker_pids;
	$other->stop(signal => 'KILL', status => 9);
	$page->wait_value("[...$names.querySelectorAll('.tag')].some((e) => e.textContent === 'silent')");
	pass 'a node that dies is silent';

	$t->node->stop;
	$page->wait_value(q{document.querySelector('.view').classList.contains('stale')});
	like text($page, '.live'), qr/has not answered since/, 'this one is gone: the page says so';
	cmp_ok $page->value(q{document.querySelectorAll('.tile').length}), '==', 5, 'and keeps what it knew';
	$t->node->start;
	$page->wait_value(q{!document.querySelector('.view').classList.contains('stale') && document.querySelector('.live').textContent === 'Live'});
	pass 'it is back, and so are the figures';
	is $page->value(q{Number(document.querySelector('.tile strong').textContent) >= 0}), JSON::PP::true(), 'no rate is below nothing, though all counters began anew';
	$other->start;
	$ops = $t->node->admin_http;
	$ops->{token} = $t->token('ops', scope => 'admin');
	is_deeply [faults_of($page)], [], 'nothing was refused';
};

# Soon: a worker that has no session of the user reads once a second who is barred.
sub is_refused {
	my ($name, $http) = @_;
	my $r;
	wait_for($name, sub { $r = $http->get('/users/me'); $r->status != 200 });
	refused $name, $r, 401, 'token_revoked';
	return;
}

my $hostile = qq{<img src=x onerror="window.hit=1"><script>window.hit=1</script>\x{202e}gpj.exe};
subtest 'a user' => sub {
	$t->dbh->do('INSERT INTO users (id, nickname, avatar_url) VALUES (?, ?, ?)', undef, 'eve', $hostile, 'http://127.0.0.1:1/tracker.png');
	my $page = enter('#/users');
	$page->fill('#query', 'nobody.at.all')->key('Enter');
	wait_has($page, '#page', 'no account here');
	$page->click('#query')->key('Control+a')->insert("eve\n");
	$page->wait_value(q{document.querySelector('.user-id')?.textContent === 'eve'});
	ok !defined $page->value('window.hit'), 'a hostile nickname does nothing';
	is $page->value(q{document.querySelectorAll('#page img, #page script').length}), 0, 'and is no markup';
	like text($page, '.user .facts'), qr/<img src=x/, 'but a text';
	unlike text($page, '.user .facts'), qr/\x{202e}/, 'that turns nothing around';
	is $page->value(q{performance.getEntriesByType('resource').filter((e) => e.name.includes('tracker')).length}), 0, 'nobody\'s picture is loaded';

	my @ws = map { $t->ws('eve', query => "device=$_") } qw(phone desk);
	my $elsewhere = $t->ws('eve', node => 1);
	$page->click('.sessions button', 'Refresh');
	$page->wait_value(q{document.querySelectorAll('.sessions tbody tr').length === 2});
	is_deeply [sort @{$page->value(q{[...document.querySelectorAll('.sessions tbody tr')].map((row) => row.cells[1].textContent)})}], [qw(desk phone)], 'the sessions of this node';
	$page->click('.sessions tr:has(td:nth-child(2)) button[aria-label*="' . $ws[0]->hello->{session_id} . '"]');
	$page->wait_value(q{document.querySelector('dialog[open]')});
	$page->key('Escape');
	$page->wait_value(q{!document.querySelector('dialog')});
	is scalar @{$ops->get('/admin/users/eve/sessions')->json->{items}}, 2, 'Escape ends none';
	$page->click('button[aria-label*="' . $ws[0]->hello->{session_id} . '"]')->click('dialog .danger');
	is $ws[0]->expect('kicked')->{reason}, 'kicked', 'kicked';
	$page->wait_value(q{document.querySelectorAll('.sessions tbody tr').length === 1});
	wait_has($page, '.said', 'told to go');
	$page->click('.sessions button', 'Kick all')->click('dialog .danger');
	is $_->expect('kicked')->{reason}, 'kicked', 'all are, wherever they are' for $ws[1], $elsewhere;

	$page->click('.user button', 'Disable')->click('dialog .danger');
	wait_has($page, '.said', 'eve is disabled');
	ok $ops->get('/admin/users/eve')->json->{disabled}, 'disabled';
	is_refused('and refused', $t->http('eve'));
	$page->click('.user button', 'Enable');
	wait_has($page, '.said', 'eve is enabled');
	my $old; # one of after that: who is disabled loses those of before
	wait_for('eve to get in again', sub { $old = $t->http('eve', token => $t->token('eve', iat => time)); $old->get('/users/me')->status == 200 });
	$page->click('.user button', 'Revoke')->click('dialog .danger');
	wait_has($page, '.said', 'are revoked');
	is_refused('the old token', $old);
	is_deeply [faults_of($page)], [], 'nothing was refused';
};

subtest 'what became of a message' => sub {
	my @ben = map { $t->ws('ben', node => $_) } 0, 1;
	my $m = $t->send_text('ann', 'ben', 'where is it');
	$_->expect('message') for @ben;
	wait_for('both nodes to tell', sub { !$ops->get("/admin/messages/$m->{id}/trace")->json->{incomplete} });
	my $page = enter('#/messages');
	my $fault = sub { $page->wait_value('document.querySelector(".fault").textContent === ' . $shown->encode($_[0])) };
	$page->fill('#message', 'abc')->key('Enter');
	$fault->('The id of a message is a number.');
	$page->click('#message')->key('Control+a')->insert('' . ($m->{id} + 99))->key('Enter');
	$fault->('There is no such message.');
	$page->click('#message')->key('Control+a')->insert("$m->{id}")->key('Enter');
	$page->wait_value(q{document.querySelectorAll('tbody tr').length === 2});
	is_deeply [sort @{$page->value(q{[...document.querySelectorAll('tbody th')].map((cell) => cell.textContent)})}], [sort map { $_->session_id } @ben], 'the sessions of both nodes';
	is $page->value('location.hash'), "#/messages/$m->{id}", 'with an address of its own';
	is text($page, '.facts dd:nth-of-type(2)'), $m->{conversation_id}, 'the conversation';
	ok !defined text($page, '.incomplete'), 'nothing is missing';
	$t->dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 2 DAY WHERE id = ?', undef, $m->{id});
	$page->click('.find button');
	wait_has($page, '.incomplete', 'may be missing');
	is $page->value(q{document.documentElement.scrollWidth <= innerWidth}), JSON::PP::true(), 'nothing sticks out';
	is_deeply [grep { $_->[1] eq '' && $_->[0] !~ /^(?:img|image)$/i } $page->accessible], [], 'all that can be operated has a name';
	is_deeply [faults_of($page)], [], 'nothing was refused';
	$_->abort for @ben;
};

subtest 'the audit log' => sub {
	$ops->get('/admin/users/page-' . $_) for 1 .. 120;
	my $page = enter('#/audit');
	my $first = q{document.querySelector('tbody tr')?.cells[3].textContent};
	$page->wait_value("$first === '/admin/users/page-120'");
	is $page->value(q{document.querySelectorAll('tbody tr').length}), 50, 'a page of it';
	$page->click('.pages button', 'Older');
	$page->wait_value("$first === '/admin/users/page-70'");
	$page->click('.pages button', 'Older');
	$page->wait_value("$first === '/admin/users/page-20'");
	$page->click('.pages button', 'Newer');
	$page->wait_value("$first === '/admin/users/page-70'");
	$ops->get('/admin/users/page-last');
	$page->click('.pages button', 'Newest');
	$page->wait_value("$first === '/admin/users/page-last'");
	is $page->value(q{document.querySelector('.pages button:nth-child(2)').disabled}), JSON::PP::true(), 'there is nothing newer';
	is_deeply [faults_of($page)], [], 'nothing was refused';
};

subtest 'for everybody' => sub {
	my $page = enter('#/users/ann', locale => 'en');
	$page->wait_value(q{document.querySelector('.sessions')});
	is_deeply [grep { $_->[1] eq '' && $_->[0] !~ /^(?:img|image)$/i } $page->accessible], [], 'all that can be operated has a name';
	is $page->value(q{document.querySelectorAll('h1').length}), 1, 'one heading of the page';
	$page->value(q{document.body.focus(); document.activeElement.blur()});
	$page->key('Tab');
	is $page->value(q{document.activeElement.className}), 'skip', 'the first stop skips the bar';
	$page->key('Enter');
	is $page->value(q{document.activeElement.id}), 'content', 'to the content';
	$page->click('nav a', 'Overview');
	$page->wait_value(q{document.querySelector('.tile')});
	is $page->value(q{document.activeElement.id}), 'content', 'another page takes the focus';
	my $light = $page->value(q{getComputedStyle(document.querySelector('.tile')).backgroundColor});
	$page->theme('dark');
	isnt $page->value(q{getComputedStyle(document.querySelector('.tile')).backgroundColor}), $light, 'dark where the system is';
	$page->theme('light');
	$page->click('.bar button', '中文');
	$page->wait_value(q{document.documentElement.lang === 'zh-CN' && document.querySelector('.bar')});
	$page->wait_text('h1', '概览');
	my $phone = enter('#/overview', width => 390, height => 800, mobile => 1);
	$phone->wait_value(q{document.querySelector('.numbers')});
	is $phone->value(q{document.documentElement.scrollWidth <= innerWidth}), JSON::PP::true(), 'nothing sticks out on a phone';
	is_deeply [map { faults_of($_) } $page, $phone], [], 'nothing was refused';
};

subtest 'a token that ends' => sub {
	my $page = enter('#/users/ann', claims => {exp => time + 600});
	$page->wait_value(q{document.querySelector('.user')});
	$t->node->wall_clock(3600);
	$page->click('.sessions button', 'Refresh');
	wait_has($page, '.fault', 'has expired');
	is $page->value('sessionStorage.length'), 0, 'it is forgotten';
	ok !defined text($page, '.user'), 'nothing stays on the page';
	is_deeply [faults_of($page)], [], 'nothing was refused';
};

$browser->stop;
$t->stop;
done_testing;
