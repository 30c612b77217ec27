# SPDX-License-Identifier: BSD-2-Clause
# Proves that a directory that is away, as a disk that is not mounted, says nothing of its files: none of them is taken for
# deleted, nor for one that has never been.
use Tidings;
use Tidings::HTTP;

my $directory = Tidings::dir() . '/media';
mkdir $directory or die "$directory: $!\n";
my $t = Tidings->start(workers => 2, conf => {media => {directory => $directory}, limits => {requests_per_second => 0}});
my ($alice, $anyone, $dbh) = ($t->api('alice'), $t->http(undef), $t->dbh);
my @tus = ('Tus-Resumable', '1.0.0');

sub upload { my ($bytes) = @_; return $alice->request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => $bytes) }
sub patch { my ($path, $offset, $bytes) = @_; return $alice->request('PATCH', $path, headers => [@tus, 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', $offset], body => $bytes) }
sub offset { my ($path) = @_; return $alice->request('HEAD', $path, headers => \@tus) }
sub row { my ($id) = @_; return $dbh->selectrow_array('SELECT state FROM media WHERE id = ?', undef, $id) }

my ($kept, $deleted) = map { upload($_)->json } 'kept', 'deleted';
my $path = $alice->request('POST', '/media', headers => [@tus, 'Upload-Length', 8])->header('location');
is patch($path, 0, 'half')->status, 204, 'a half of a file';

rename $directory, "$directory.away" or die $!;
is $anyone->get($kept->{url})->status, 503, 'a file cannot be read now, rather than there is none';
is offset($path)->status, 503, 'how much is there is not known';
is patch($path, 4, 'half')->status, 503, 'more cannot be written';
is upload('new')->status, 503, 'nor anything else';
is $alice->delete("/media/$deleted->{id}")->status, 204, 'one is deleted';
wait_for('that it cannot be', sub { grep { /relay.*cannot look at \Q$directory\E:/ } split /\n/, $t->node->log_text });
is row($deleted->{id}), 2, 'it is not forgotten';

rename "$directory.away", $directory or die $!;
is $anyone->get($kept->{url})->body, 'kept', 'the file is there again';
is offset($path)->header('upload-offset'), 4, 'as is the half';
is patch($path, 4, 'rest')->status, 204, 'which goes on';
$dbh->do('UPDATE media_idle SET due_at = UTC_TIMESTAMP(3) WHERE media_id = ?', undef, $deleted->{id});
wait_for('the deleted one to go', sub { !defined row($deleted->{id}) });
is_deeply [glob "$directory/*/*/$deleted->{id}*"], [], 'with its bytes';
$t->stop;
done_testing;
