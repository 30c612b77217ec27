# SPDX-License-Identifier: BSD-2-Clause
# Proves that one upload at a time brings a file to its end: what is deleted meanwhile leaves nothing behind; who asks for a file while
# another connection completes it waits, and changes nothing of one that is complete; that an upload whose client left before its row was
# made is forgotten; and that a file that cannot be deleted keeps no other from it.
use Tidings;
use Tidings::Pack qw(png);
use Tidings::Util qw(spew);
use Socket qw(SOL_SOCKET SO_LINGER);

my $dir = Tidings::dir();
my $directory = "$dir/media";
mkdir $directory or die "$directory: $!\n";
# A scanner that waits while there is a file "hold": an upload is at its end for as long as the test wants.
spew("$dir/scanner", "#!/bin/sh\necho x >> '$dir/scans'\nwhile [ -e '$dir/hold' ]; do sleep 0.05; done\nexit 0\n", 0755);
my %conf = (media => {directory => $directory, scanner => "$dir/scanner"}, limits => {requests_per_second => 0});
my $t = Tidings->start(nodes => 2, workers => 1, conf => \%conf);
my ($alice, $other) = ($t->http('alice'), $t->http('alice', node => 1));
my $dbh = $t->dbh;

sub begin { my ($http, $bytes) = @_; $http->raw($http->render('POST', '/media?name=p.png', headers => ['Content-Type', 'image/png', 'Content-Length', length $bytes], body => $bytes)); return }
sub files { my ($id) = @_; my @names = sort map { s{.*/}{}r } glob "$directory/*/*/$id*"; return @names }
sub scans { return -s "$dir/scans" ? (-s _) / 2 : 0 }
sub row { return $dbh->selectrow_array('SELECT state FROM media WHERE id = ?', undef, $_[0]) }
sub hold { spew("$dir/hold", '') }
sub release { unlink "$dir/hold" or die $! }
sub new_row { return wait_for('a row', sub { $dbh->selectrow_array('SELECT id FROM media WHERE state = 0') }) }
sub due { my ($id) = @_; return $dbh->do('INSERT INTO media_idle (media_id, due_at) VALUES (?, UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE due_at = VALUES(due_at)', undef, $id) }

subtest 'deleted while it is completed' => sub {
	hold();
	begin($alice, png(1));
	my $id = new_row();
	wait_for('the scanner', sub { scans() == 1 });
	is $other->delete("/media/$id")->status, 204, 'deleted';
	wait_for('its row to go', sub { !defined row($id) });
	release();
	is $alice->response->status, 404, 'who sent it is told so';
	wait_for('nothing to be left', sub { !files($id) });
	is_deeply [files($id)], [], 'and nothing of it is left';
};

subtest 'completed by two' => sub {
	my $before = scans();
	hold();
	begin($alice, png(2));
	my $id = new_row();
	wait_for('the scanner', sub { scans() == $before + 1 });
	is $other->get("/media/$id/info")->status, 423, 'another waits while it is completed';
	release();
	is $alice->response->status, 201, 'complete';
	is scans(), $before + 1, 'looked at once';
	# As where a process died between the file and its row.
	my ($path) = grep { !/thumb/ } glob "$directory/*/*/$id*";
	$dbh->do('UPDATE media SET state = 0 WHERE id = ?', undef, $id);
	hold();
	$alice->send_request('GET', "/media/$id/info");
	wait_for('the scanner again', sub { scans() == $before + 2 });
	is $other->get("/media/$id/info")->status, 423, 'also where it is in its place already';
	# A third one has done it meanwhile.
	release();
	is $alice->response->status, 200, 'complete again';
	is row($id), 1, 'the row says so';
	is_deeply [files($id)], [$id, "$id.thumb"], 'the file and its thumbnail';
};

subtest 'its client leaves before its row is made' => sub {
	my $lock = $t->{stack}->dbh($t->{database});
	$lock->begin_work;
	$lock->do('SELECT 1 FROM upload_limits WHERE user_id = ? FOR UPDATE', undef, 'alice');
	my $connections = sub { return $t->node->admin_http->get('/metrics')->body =~ /^tidings_connections (\d+)/m ? $1 : die };
	my $open = $connections->();
	my $http = $t->http('alice');
	begin($http, png(4));
	wait_for('the upload to wait', sub { ($dbh->selectrow_array("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"))[1] == 1 });
	my $count = sub { scalar $dbh->selectrow_array('SELECT COUNT(*) FROM media WHERE state <> 2') };
	my $before = $count->();
	# A reset, which the server sees although it reads nothing now.
	setsockopt $http->socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) or die $!;
	$http->close;
	wait_for('its connection to go', sub { $connections->() == $open });
	$lock->rollback;
	wait_for('its row to have come', sub { $dbh->selectrow_array('SELECT 1 FROM media WHERE state = 2') || $count->() > $before });
	wait_for('its row to go', sub { $count->() == $before });
	is $count->(), $before, 'it does not count for a day';
};

subtest 'a file that cannot be deleted' => sub {
	my ($bad, $good) = map { $alice->request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => "file $_")->json->{id} } 1, 2;
	my ($file) = glob "$directory/*/*/$bad";
	mkdir "$file.hold" or die $!;
	$dbh->do('UPDATE media_idle SET due_at = UTC_TIMESTAMP(3) WHERE media_id IN (?, ?)', undef, $bad, $good);
	wait_for('the other to be forgotten', sub { !defined row($good) });
	is_deeply [files($good)], [], 'it is gone';
	is row($bad), 2, 'the one that cannot be deleted is not forgotten';
	cmp_ok $dbh->selectrow_array('SELECT due_at > UTC_TIMESTAMP(3) FROM media_idle WHERE media_id = ?', undef, $bad), '==', 1, 'it is tried again later';
	rmdir "$file.hold" or die $!;
	due($bad);
	wait_for('it to go, too', sub { !defined row($bad) });
};

$t->stop;
done_testing;
